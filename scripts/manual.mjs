// Writes dist/mtjobs.1, as the program that was built prints it; for whoever makes the package.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, asProgram, root, SetupError } from "./command.mjs";

await asProgram(import.meta.url, async () => {
  const program = join(root, "dist", "entry", "mtjobs.js");
  // Without a compiler nothing was built.
  if (!existsSync(program)) return;
  const { code, stdout, stderr } = await ask(process.execPath, [program, "manual"]);
  if (code !== 0) throw new SetupError(`the program does not print its manual: ${stderr}`);
  writeFileSync(join(root, "dist", "mtjobs.1"), stdout);
});
