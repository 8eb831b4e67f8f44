import { readFileSync } from "node:fs";
import { packageJson } from "./process.ts";

/** Returns this program's version, from its package.json. */
export function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(packageJson, "utf8")) as { version: string };
  return version;
}
