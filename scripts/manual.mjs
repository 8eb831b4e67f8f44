// Writes dist/mtjobs.1 from the output of the built program, for packaging.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, asProgram, root, SetupError } from "./command.mjs";

await asProgram(import.meta.url, async () => {
  const program = join(root, "dist", "entry", "mtjobs.js");
  // Without a compiler nothing was built.
  if (!existsSync(program)) return;
  const { code, stdout, stderr } = await ask(process.execPath, [program, "manual"]);
  if (code !== 0) throw new SetupError(`mtjobs manual failed: ${stderr}`);
  writeFileSync(join(root, "dist", "mtjobs.1"), stdout);
});
