import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { dirname, join, sep } from "node:path";

/** As many as the kernel follows. */
const mostLinks = 40;

const partsOf = (path: string) => path.split(sep).filter((part) => part !== "" && part !== ".");

/**
 * Follows links to a file, and returns the path without links, or why another user could have chosen it: each link and
 * each directory on the way must belong to root or to this user, and each directory must be one in which no other user
 * can replace them.
 *
 * @param path absolute
 * @throws the system's error if a part of the path cannot be inspected
 */
export function trustedTarget(path: string): { target: string } | { problem: string } {
  let at: string = sep;
  let parts = partsOf(path);
  let links = 0;
  for (let name = parts.shift(); name !== undefined; name = parts.shift()) {
    if (name === "..") {
      at = dirname(at);
      continue;
    }
    const problem = problemOf(at, lstatSync(at));
    if (problem !== undefined) return { problem };
    const next = join(at, name);
    const stat = lstatSync(next);
    if (!isOwn(stat)) return { problem: `${next} belongs to another user` };
    if (!stat.isSymbolicLink()) {
      at = next;
      continue;
    }
    if (++links > mostLinks) return { problem: "there are too many links" };
    const target = readlinkSync(next);
    if (target.startsWith(sep)) at = sep;
    parts = [...partsOf(target), ...parts];
  }
  return { target: at };
}

function problemOf(directory: string, stat: Stats): string | undefined {
  if (!isOwn(stat)) return `${directory} belongs to another user`;
  // In a sticky directory, as Kubernetes mounts one, each user can replace only what is his own.
  const isSticky = (stat.mode & 0o1000) !== 0;
  return (stat.mode & 0o022) !== 0 && !isSticky ? `other users may write to ${directory}` : undefined;
}

const isOwn = ({ uid }: Stats) => uid === 0 || uid === process.geteuid?.();
