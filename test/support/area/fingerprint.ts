import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";

/** Returns a digest and the modification time of every file below the directories, by path. */
export function fingerprint(...directories: string[]): Record<string, string> {
  return Object.fromEntries(
    directories.flatMap((directory) =>
      readdirSync(directory, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => {
          const path = join(entry.parentPath, entry.name);
          const digest = createHash("sha256").update(readFileSync(path)).digest("hex");
          return [relative(directory, path), `${digest} ${statSync(path).mtimeMs}`] as const;
        }),
    ),
  );
}
