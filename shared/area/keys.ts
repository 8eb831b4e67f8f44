import type { MegatestConfig } from "./config.ts";

/** The target keys in order: the names in `[fields]`. Each is a column of `runs`; the database in hand has the last word. */
export function targetKeys(config: MegatestConfig): string[] {
  return config.names("fields");
}
