import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { hasHotJournal, namesAnotherFile } from "../../../shared/sqlite/journal.ts";
import { temporaryDirectory } from "../../support/area.ts";

/** Makes and removes the file as fast as it can. */
const writer = `const fs = require("node:fs"); console.log("up");
for (;;) { fs.writeFileSync(process.argv[1], "a journal of some bytes"); fs.unlinkSync(process.argv[1]); }`;

it("a journal that its writer removes while it is read is no hot journal, and no error", async () => {
  const file = join(temporaryDirectory(), "megatest.db");
  writeFileSync(file, "");
  const child = spawn(process.execPath, ["-e", writer, `${file}-journal`], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  const seen = new Set<boolean>();
  for (let n = 0; n < 20_000; n++) {
    seen.add(hasHotJournal(file));
    namesAnotherFile(`${file}-journal`);
  }
  expect([...seen].sort()).toEqual([false, true]);
});
