// Parts of the status, by short names.
import type { Schemas } from "../api/client.ts";

export type Status = Schemas["Status"];
export type Books = Schemas["Books"];
export type Sums = Schemas["Sums"];
export type Equation = Schemas["Equation"];
export type Stream = Schemas["Stream"];
export type Consumer = Schemas["Consumer"];
export type Service = Schemas["Service"];
export type DeadLetter = Schemas["DeadLetter"];
export type DeadLetterWhole = Schemas["DeadLetterWhole"];
export type Evaluator = Schemas["Evaluator"];
