import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const top = fileURLToPath(new URL("../../", import.meta.url));

/** A copy of the build below `directory` whose commits do not sync the directory of a journal they removed; its command. */
export function wrongBuild(directory: string): string {
  cpSync(join(top, "dist"), join(directory, "dist"), { recursive: true });
  cpSync(join(top, "package.json"), join(directory, "package.json"));
  symlinkSync(join(top, "node_modules"), join(directory, "node_modules"));
  const dist = join(directory, "dist");
  // The command and each of its threads have their own.
  const programs = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".js"),
  );
  const changed = programs.filter((name) => {
    const right = readFileSync(join(dist, name), "utf8");
    const wrong = right.replaceAll('"EXTRA"', '"FULL"');
    if (wrong !== right) writeFileSync(join(dist, name), wrong);
    return wrong !== right;
  });
  if (changed.length === 0) throw new Error(`no file of ${dist} names EXTRA`);
  return join(directory, "dist", "entry", "mtjobs.js");
}
