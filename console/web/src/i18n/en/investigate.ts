export const investigate = {} as const;
