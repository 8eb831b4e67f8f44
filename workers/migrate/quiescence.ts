import type { CheckReport } from "../../shared/migrate-result.ts";
import type { Files } from "../move/move.ts";
export interface QuietOptions {
  files: Files;
  quietForMs: number;
  now: number;
  skewMs: number;
}
export function quietReport(_options: QuietOptions): CheckReport {
  return { checks: [{ name: "tests", ok: true, detail: "stand-in" }] };
}
