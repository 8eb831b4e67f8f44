import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";

const top = dirname(findPackageJSON(import.meta.url) ?? "");

/**
 * Returns the path of a program that tests start, as scripts/build.mjs lists them; bundled, it starts faster than its
 * sources. The caller may be part of a bundle too.
 *
 * @param path of its source, without the extension
 */
export function builtProgram(path: string): string {
  return join(top, "dist-test/", `${path}.js`);
}
