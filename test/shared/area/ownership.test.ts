import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { assertReadWrite } from "../../../shared/area/cache/assert-read-write.ts";
import { cacheAt } from "../../../shared/area/cache/cache.ts";
import { createLike, ensurePrivateDir } from "../../../shared/area/ownership.ts";
import {
  asUser,
  errorOf,
  isRoot,
  makeArea,
  nobody,
  settingsFor,
  temporaryDirectory,
  writeFile,
} from "../../support/area.ts";

function scene() {
  const root = temporaryDirectory();
  const area = openArea(makeArea(join(root, "area")));
  writeFile(join(root, "cache/megatest_ref.db"), "");
  writeFile(join(root, "cache/megatest.db"), "");
  chmodSync(root, 0o755);
  const give = (uid: number, ...names: string[]) => {
    for (const name of names) chownSync(join(root, name), uid, uid);
  };
  return { root, area, cache: cacheAt(join(root, "cache"), settingsFor({ cacheRoot: root })), give };
}

/** Runs `act` while another process, an unprivileged user's, replaces `path` by a link to `target` whenever it is there. */
async function swapWhile(path: string, target: string, act: () => void): Promise<void> {
  const code = `const fs = require('fs'); process.stdout.write('on');
    const [path, target] = process.argv.slice(1);
    for (;;) { try { fs.symlinkSync(target, path + '.link'); } catch {}
      try { if (!fs.lstatSync(path).isSymbolicLink()) fs.renameSync(path + '.link', path); } catch {} }`;
  const child = spawn(process.execPath, ["-e", code, path, target], {
    stdio: ["ignore", "pipe", "inherit"],
    uid: nobody,
  });
  try {
    await once(child.stdout, "data");
    act();
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

const all = ["area", "area/megatest.db", "cache", "cache/megatest.db", "cache/megatest_ref.db"];

describe("reading and writing as the owner", () => {
  it("is granted to the owner of area and cache, and without a cache", () => {
    const { area, cache } = scene();
    expect(() => assertReadWrite(area, cache, settingsFor())).not.toThrow();
    expect(() => assertReadWrite(area, undefined, settingsFor())).not.toThrow();
  });

  it.runIf(isRoot)("is granted to root, and to the very user who owns all", () => {
    const { area, cache, give } = scene();
    give(nobody, ...all);
    assertReadWrite(area, cache, settingsFor());
    asUser(nobody, () => assertReadWrite(area, cache, settingsFor()));
  });

  it.runIf(isRoot).each(all)(
    "is refused where %s belongs to somebody else, though it is writable",
    (name) => {
      const { root, area, cache, give } = scene();
      give(nobody, ...all);
      give(0, name);
      chmodSync(join(root, name), 0o777);
      const error = asUser(nobody, () => errorOf(() => assertReadWrite(area, cache, settingsFor())));
      expect(error).toMatchObject({
        code: "not-owner",
        details: { path: join(root, name), owner: 0, user: nobody },
      });
      expect(error.hint).toContain("MTJOBS_USER");
    },
  );

  it.runIf(isRoot)("is refused where the owner has no right to write", () => {
    const { root, area, cache, give } = scene();
    give(nobody, ...all);
    chmodSync(join(root, "area/megatest.db"), 0o444);
    expect(asUser(nobody, () => errorOf(() => assertReadWrite(area, cache, settingsFor()))).code).toBe(
      "not-owner",
    );
  });
});

describe("a file that mtjobs creates", () => {
  it("gets the mode of the model, whatever the umask, and keeps its content", () => {
    const root = temporaryDirectory();
    const model = writeFile(join(root, "model"), "");
    chmodSync(model, 0o664);
    createLike(join(root, "new"), model);
    expect(statSync(join(root, "new"))).toMatchObject({ size: 0, mode: 0o100664 });
    expect(readdirSync(root).sort()).toEqual(["model", "new"]);
  });

  it("is written with its content, and is left as it is once it is there", () => {
    const root = temporaryDirectory();
    const model = writeFile(join(root, "model"), "");
    chmodSync(model, 0o664);
    expect(createLike(join(root, "new"), model, "first")).toBe(true);
    chmodSync(join(root, "new"), 0o600);
    expect(createLike(join(root, "new"), model, "second")).toBe(false);
    expect(readFileSync(join(root, "new"), "utf8")).toBe("first");
    expect(statSync(join(root, "new")).mode & 0o777).toBe(0o600);
  });

  it.runIf(isRoot)(
    "is not another user's file that was put in its place: what only root may read stays so",
    () => {
      const root = temporaryDirectory();
      const model = writeFile(join(root, "model"), "");
      chownSync(model, nobody, nobody);
      chmodSync(model, 0o666);
      const secret = writeFile(join(root, "secret"), "for root alone");
      chmodSync(secret, 0o600);
      linkSync(secret, join(root, "planted"));
      createLike(join(root, "planted"), model);
      expect(statSync(secret)).toMatchObject({ uid: 0, gid: 0, mode: 0o100600 });
    },
  );

  it.runIf(isRoot)("gives nothing away to a process that swaps it for a link all the while", async () => {
    const root = temporaryDirectory();
    const model = writeFile(join(root, "model"), "");
    chownSync(model, nobody, nobody);
    const secret = writeFile(join(root, "secret"), "for root alone");
    chmodSync(secret, 0o600);
    chmodSync(root, 0o777);
    await swapWhile(join(root, "swapped"), secret, () => {
      for (let n = 0; n < 2_000 && statSync(secret).uid === 0; n++) {
        try {
          createLike(join(root, "swapped"), model);
        } catch {
          // a link stood there
        }
        rmSync(join(root, "swapped"), { force: true });
      }
    });
    expect(statSync(secret)).toMatchObject({ uid: 0, gid: 0, mode: 0o100600 });
  });

  it.runIf(isRoot)("gets owner and group of the model where we may give them", () => {
    const root = temporaryDirectory();
    const model = writeFile(join(root, "model"), "");
    chownSync(model, nobody, nobody);
    createLike(join(root, "new"), model);
    expect(statSync(join(root, "new"))).toMatchObject({ uid: nobody, gid: nobody });
  });

  it.runIf(isRoot)("gives a group that it cannot change no more than everybody", () => {
    const root = temporaryDirectory();
    const model = writeFile(join(root, "model"), "");
    chmodSync(model, 0o664);
    chownSync(model, nobody, 12345);
    chmodSync(root, 0o777);
    asUser(nobody, () => createLike(join(root, "new"), model));
    expect(statSync(join(root, "new"))).toMatchObject({ uid: nobody, mode: 0o100644 });
  });

  it("is not made through a link", () => {
    const root = temporaryDirectory();
    const model = writeFile(join(root, "model"), "");
    symlinkSync(join(root, "target"), join(root, "link"));
    expect(errorOf(() => createLike(join(root, "link"), model)).code).toBe("not-an-area");
    expect(lstatSync(join(root, "target"), { throwIfNoEntry: false })).toBeUndefined();
  });
});

describe("the private directory", () => {
  it("is made like megatest.db, enterable by who may read that, and is then left alone", () => {
    const { area } = scene();
    chmodSync(area.megatestDb, 0o640);
    ensurePrivateDir(area);
    expect(statSync(area.privateDir).mode & 0o777).toBe(0o750);
    chmodSync(area.privateDir, 0o700);
    ensurePrivateDir(area);
    expect(statSync(area.privateDir).mode & 0o777).toBe(0o700);
  });

  it.runIf(isRoot)("belongs to the owner of megatest.db", () => {
    const { area } = scene();
    chownSync(area.megatestDb, nobody, nobody);
    ensurePrivateDir(area);
    expect(statSync(area.privateDir)).toMatchObject({ uid: nobody, gid: nobody });
  });

  it("is refused where a file or a link has its name", () => {
    const { area } = scene();
    symlinkSync("/tmp", area.privateDir);
    expect(errorOf(() => ensurePrivateDir(area)).code).toBe("not-an-area");
  });
});
