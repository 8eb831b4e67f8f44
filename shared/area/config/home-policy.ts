import { JobsError } from "../../errors.ts";
import { homeName } from "../../settings/home-name.ts";
import { parseDuration } from "../../time/duration.ts";
import type { MegatestConfig } from "./config.ts";

/** `[homehost]` of megatest.config: where the area should be. */
export interface HomePolicy {
  /** Most preferred first. */
  prefer: string[];
  /** Whether workers may request the move; people always may. */
  migrate: "auto" | "never";
  /** Ms without activity that make the area quiet. */
  quietForMs: number;
}

/** Minimum stay before a worker requests an area, ms, so that hosts do not move it back and forth. */
export const minimumStayMs = 24 * 3_600_000;

const defaultQuietFor = "30m";

/**
 * Returns the policy. Moves are automatic only with `migrate auto`, and never if `[server] homehost` pins the area.
 *
 * @throws {JobsError} `bad-config` for an invalid value
 */
export function homePolicy(config: Pick<MegatestConfig, "get">): HomePolicy {
  const migrate = config.get("homehost", "migrate")?.trim() ?? "never";
  if (migrate !== "auto" && migrate !== "never") throw wrong("migrate", migrate, "it must be auto or never");
  const prefer = (config.get("homehost", "prefer") ?? "").split(/[\s,]+/).filter((name) => name !== "");
  const nameless = prefer.find((name) => !homeName.test(name));
  if (nameless !== undefined) throw wrong("prefer", nameless, "it must be host names, comma-separated");
  const pinned = (config.get("server", "homehost") ?? "") !== "";
  return { prefer, migrate: pinned ? "never" : migrate, quietForMs: quietFor(config) };
}

function quietFor(config: Pick<MegatestConfig, "get">): number {
  const text = config.get("homehost", "quiet-for")?.trim() ?? defaultQuietFor;
  try {
    return parseDuration(text);
  } catch (error) {
    if (error instanceof JobsError) throw wrong("quiet-for", text, "it must be a duration: 90s, 30m or 12h");
    throw error;
  }
}

function wrong(name: string, value: string, hint: string): JobsError {
  return new JobsError("bad-config", `[homehost] ${name} is ${JSON.stringify(value.slice(0, 80))}`, {
    hint,
    details: { section: "homehost", name },
  });
}

/**
 * Returns true if a worker should request an area. `home` and `self` are all known names and addresses of the
 * homehost and of this host.
 *
 * @param sinceLastMs since the last migration; undefined if there was none
 */
export function wantsArea(
  { prefer, migrate }: HomePolicy,
  home: readonly string[],
  self: readonly string[],
  sinceLastMs: number | undefined,
): boolean {
  if (migrate !== "auto" || home.length === 0 || home.some((name) => self.includes(name))) return false;
  if (sinceLastMs !== undefined && sinceLastMs < minimumStayMs) return false;
  const place = (names: readonly string[]) => prefer.findIndex((name) => names.includes(name));
  const [mine, theirs] = [place(self), place(home)];
  return mine >= 0 && (theirs < 0 || mine < theirs);
}
