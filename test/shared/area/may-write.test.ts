import { chmodSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { mayWrite } from "../../../shared/area/may-write.ts";
import { groupIds } from "../../../shared/area/user-name.ts";
import { temporaryDirectory, writeFile } from "../../support/area.ts";

it("a user of whose groups nothing can be told counts as one who may write where the file's group may", () => {
  const file = writeFile(join(temporaryDirectory(), "megatest.db"), "");
  // A container's user has a number and no name; another one is not known here.
  for (const name of ["54321", "nobody-of-that-name"]) {
    expect(groupIds(name)).toBeUndefined();
    chmodSync(file, 0o664);
    expect(mayWrite(file, { uid: 54321, name })).toBe(true);
    chmodSync(file, 0o644);
    expect(mayWrite(file, { uid: 54321, name })).toBe(false);
  }
});
