import { statSync } from "node:fs";
import { join } from "node:path";

/** What a cache directory's name, a path with `/` replaced by `.`, can stand for. */
export type DottedReading =
  /** The given directory. */
  | "same"
  /** Another directory with a megatest.config, and not the given one. */
  | "other-area"
  /** No area on this host. */
  | "nowhere"
  /** Unknown: too many readings to check. */
  | "undecided";

const maxSteps = 5_000;

/**
 * Follows the readings of each dot, as a slash or a dot, that exist: `.areas.a.v2` may be `/areas/a/v2` or
 * `/areas/a.v2`.
 */
export function readDottedPath(dotted: string, area: { dev: bigint; ino: bigint }): DottedReading {
  if (!dotted.startsWith(".")) return "nowhere";
  const pieces = dotted.slice(1).split(".");
  const open: { directory: string; next: number }[] = [{ directory: "/", next: 0 }];
  let steps = 0;
  let otherArea = false;
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (let end = at.next + 1; end <= pieces.length; end++) {
      if (++steps > maxSteps) return "undecided";
      const component = pieces.slice(at.next, end).join(".");
      if (component === "" || component === "." || component === "..") continue;
      const directory = join(at.directory, component);
      const id = directoryId(directory);
      if (id === undefined) continue;
      if (end < pieces.length) open.push({ directory, next: end });
      else if (id.dev === area.dev && id.ino === area.ino) return "same";
      else otherArea ||= isArea(directory);
    }
  }
  return otherArea ? "other-area" : "nowhere";
}

function directoryId(path: string): { dev: bigint; ino: bigint } | undefined {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat?.isDirectory() === true ? { dev: stat.dev, ino: stat.ino } : undefined;
  } catch {
    return undefined;
  }
}

function isArea(directory: string): boolean {
  try {
    return statSync(join(directory, "megatest.config"), { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}
