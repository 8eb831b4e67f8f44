import { parseDuration } from "../duration.ts";
import { JobsError } from "../errors.ts";
import { homeName } from "../home-name.ts";
import type { MegatestConfig } from "./config.ts";

/** What `[homehost]` of an area's megatest.config says about where it shall live. */
export interface HomePolicy {
  /** Names or addresses, the most wanted first. */
  prefer: string[];
  /** Whether workers may ask for the move by themselves; people always may. */
  migrate: "auto" | "never";
  /** Ms without a sign of life that make the area quiet. */
  quietForMs: number;
}

/** How long an area stays before a worker asks for it, ms: else two hosts could send it to and fro. */
export const minimumStayMs = 24 * 3_600_000;

const defaultQuietFor = "30m";

/**
 * The policy of an area: nothing moves by itself unless `migrate auto` is said, nor where `[server] homehost` pins it.
 * @throws {JobsError} `bad-config` for a value that is none
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
 * Whether a worker should ask for an area on its own account. A host goes by its name and its address, whichever
 * `prefer` and `.homehost` hold: `home` and `self` are all that are known of the homehost and of this host.
 *
 * @param sinceLastMs since the last migration; undefined: there was none
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
