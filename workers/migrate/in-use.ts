import type { Area } from "../../shared/area/area.ts";
import type { CachePair } from "../../shared/area/cache.ts";
import type { MigrateCheck } from "../../shared/migrate-result.ts";
import type { Settings } from "../../shared/settings.ts";
export function serverChecks(_area: Area, _settings: Settings): MigrateCheck {
  return { name: "servers", ok: true, detail: "stand-in" };
}
export function openFileCheck(_pair: CachePair, _ownPid: number): MigrateCheck {
  return { name: "open-files", ok: true, detail: "stand-in" };
}
export function stopServers(
  _area: Area,
  _pids: readonly number[],
  _settings: Settings,
  _signal: AbortSignal,
): Promise<MigrateCheck> {
  return Promise.resolve({ name: "servers", ok: true, detail: "stand-in" });
}
