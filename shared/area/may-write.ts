import { type Stats, statSync } from "node:fs";
import { groupIds } from "./user-name.ts";

/**
 * Whether a user could write to a file, by its owner, group and mode: its owner could give himself the right, and root needs
 * none. A right that an access list gives beyond these, or a file server takes away, is not seen.
 */
export function mayWrite(path: string, user: { uid: number; name: string }): boolean {
  const stat = statSync(path);
  if (user.uid === 0 || user.uid === stat.uid || (stat.mode & 0o002) !== 0) return true;
  return (stat.mode & 0o020) !== 0 && isInGroup(stat, user.name);
}

/** Where it cannot be told, yes: what such a user's cache holds is looked at, and not passed over. */
const isInGroup = ({ gid }: Stats, name: string) => groupIds(name)?.includes(gid) ?? true;
