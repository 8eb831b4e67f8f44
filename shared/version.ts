import { readFileSync } from "node:fs";

/** Returns this program's version, from its package.json. */
export function ownVersion(): string {
  // One level up from the source, two from the built file in dist/.
  const up = import.meta.url.endsWith(".ts") ? "../package.json" : "../../package.json";
  const { version } = JSON.parse(readFileSync(new URL(up, import.meta.url), "utf8")) as { version: string };
  return version;
}
