export const pipeline = {} as const;
