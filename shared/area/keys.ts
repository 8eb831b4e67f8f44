import type { MegatestConfig } from "./config.ts";

/** Returns the names in `[fields]`, which are columns of `runs`. The database itself is authoritative. */
export function targetKeys(config: MegatestConfig): string[] {
  return config.names("fields");
}
