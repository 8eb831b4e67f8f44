import { type Stats, statSync } from "node:fs";
import { groupIds } from "./user-name.ts";

/** Checks owner, group and mode. Ignores access lists and file server restrictions. */
export function mayWrite(path: string, user: { uid: number; name: string }): boolean {
  const stat = statSync(path);
  if (user.uid === 0 || user.uid === stat.uid || (stat.mode & 0o002) !== 0) return true;
  return (stat.mode & 0o020) !== 0 && isInGroup(stat, user.name);
}

/** Counts unknown as yes: such a user's cache is read, not ignored. */
const isInGroup = ({ gid }: Stats, name: string) => groupIds(name)?.includes(gid) ?? true;
