import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const top = fileURLToPath(new URL("../../", import.meta.url));

/** A copy of the build below `directory` whose commits do not sync the directory of a journal they removed; its command. */
export function wrongBuild(directory: string): string {
  cpSync(join(top, "dist"), join(directory, "dist"), { recursive: true });
  cpSync(join(top, "package.json"), join(directory, "package.json"));
  symlinkSync(join(top, "node_modules"), join(directory, "node_modules"));
  const chunks = join(directory, "dist", "chunks");
  const changed = readdirSync(chunks).filter((name) => {
    const right = readFileSync(join(chunks, name), "utf8");
    const wrong = right.replaceAll('"EXTRA"', '"FULL"');
    if (wrong !== right) writeFileSync(join(chunks, name), wrong);
    return wrong !== right;
  });
  if (changed.length === 0) throw new Error(`no file of ${chunks} names EXTRA`);
  return join(directory, "dist", "entry", "mtjobs.js");
}
