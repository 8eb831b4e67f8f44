/**
 * `npm run package [-- --out DIRECTORY] [--fast]`: makes what is released, in packages/ by default:
 * megatest-jobs-VERSION.tgz for npm, and mtjobs-VERSION-linux-ARCH.tar.xz with a Node of its own, for a directory that
 * all hosts mount. `--fast` compresses less.
 */
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build, targets } from "./build.mjs";
import { npm, root, run, SetupError, say } from "./command.mjs";
import { installDependencies } from "./dependencies.mjs";
import { installNode } from "./node.mjs";
import { asProgram } from "./program.mjs";

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));
const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);

async function mustRun(command, args, options) {
  const status = await run(command, args, options);
  if (status !== 0) throw new SetupError(`${command} ${args[0]} failed; see its output above`);
}

async function mustNpm(args, options) {
  const status = await npm(args, options);
  if (status !== 0) throw new SetupError(`npm ${args[0]} failed; see its output above`);
}

/** Makes a directory as the package has it, except for what npm leaves out. */
async function stage(directory) {
  const { scripts, devDependencies, overrides, ...manifest } = readJson(join(root, "package.json"));
  writeJson(join(directory, "package.json"), manifest);
  const copied = manifest.files.filter((path) => path !== "dist" && !path.startsWith("!"));
  for (const path of ["README.md", "LICENSE", ...copied]) {
    cpSync(join(root, path), join(directory, path), { recursive: true });
  }
  // npm installs all that a package's npm-shrinkwrap.json names: without the packages for development.
  await mustNpm(["install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: directory,
  });
  // In the checkout, because the build runs the program, which needs its packages; and not dist, which may be in use.
  const built = join(root, "dist-package");
  await build(targets.product, { forPackage: true, out: built });
  cpSync(built, join(directory, "dist"), { recursive: true });
  rmSync(built, { recursive: true });
}

/** Installs the dependencies beside the staged package, without what only other platforms and compilers need. */
async function installProduction(directory) {
  await mustNpm(
    ["ci", "--omit=dev", "--omit=peer", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"],
    {
      cwd: directory,
    },
  );
  const sqlite = join(directory, "node_modules", "better-sqlite3");
  for (const source of ["deps", "src", "binding.gyp"])
    rmSync(join(sqlite, source), { recursive: true, force: true });
  for (const name of readdirSync(join(sqlite, "prebuilds"))) {
    if (name !== `${process.platform}-${process.arch}.node`) rmSync(join(sqlite, "prebuilds", name));
  }
  rmSync(join(directory, "node_modules", "node-addon-api"), { recursive: true, force: true });
}

/** Returns the newest version of glibc that a binary asks for. */
function glibcOf(path) {
  const versions = readFileSync(path, "latin1").match(/(?<=GLIBC_)2\.\d+/g) ?? [];
  return Math.max(0, ...versions.map((version) => Number(version.slice(2))));
}

/** Points the links of a page to lib/, where the other pages are. */
function linksToLib(text) {
  return text.replaceAll(/(\]\(|(?:src|href)=")(?![a-z]+:|#)/g, "$1lib/");
}

async function makeFarmTarball(staged, { version, out, fast }) {
  const name = `mtjobs-${version}-${process.platform}-${process.arch}`;
  const work = mkdtempSync(join(tmpdir(), "mtjobs-package-"));
  try {
    const top = join(work, name);
    const lib = join(top, "lib");
    cpSync(staged, lib, { recursive: true, filter: (path) => !/\.(?:map|d\.c?ts)$/.test(path) });
    await installProduction(lib);
    const node = await installNode();
    cpSync(join(node, "bin", "node"), join(top, "node", "bin", "node"));
    cpSync(join(node, "LICENSE"), join(top, "node", "LICENSE"));
    const from = join(root, "scripts", "package");
    mkdirSync(join(top, "bin"));
    cpSync(join(from, "mtjobs"), join(top, "bin", "mtjobs"));
    mkdirSync(join(top, "systemd"));
    for (const file of readdirSync(from).filter((name) => /\.(?:service|timer|env)$/.test(name))) {
      cpSync(join(from, file), join(top, "systemd", file));
    }
    for (const file of ["install.sh", "uninstall.sh"]) cpSync(join(from, file), join(top, file));
    mkdirSync(join(top, "share", "man", "man1"), { recursive: true });
    cpSync(join(lib, "dist", "mtjobs.1"), join(top, "share", "man", "man1", "mtjobs.1"));
    cpSync(join(root, "LICENSE"), join(top, "LICENSE"));
    for (const page of ["README.md", "CHANGELOG.md"]) {
      writeFileSync(join(top, page), linksToLib(readFileSync(join(root, page), "utf8")));
    }
    const sqlite = join(
      lib,
      "node_modules",
      "better-sqlite3",
      "prebuilds",
      `${process.platform}-${process.arch}.node`,
    );
    const glibc = Math.max(glibcOf(sqlite), glibcOf(join(top, "node", "bin", "node")));
    writeFileSync(join(top, "GLIBC"), `glibc 2.${glibc} or later\n`);
    chmodSync(join(top, "bin", "mtjobs"), 0o755);
    await mustRun(
      "tar",
      [
        "--create",
        "--xz",
        "--owner=0",
        "--mode=u=rwX,go=rX",
        "--group=0",
        "--file",
        join(out, `${name}.tar.xz`),
        name,
      ],
      {
        cwd: work,
        env: { ...process.env, XZ_OPT: fast ? "-0 -T0" : "-9 -T0" },
      },
    );
    say(`${join(out, `${name}.tar.xz`)}: needs glibc 2.${glibc} or later`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function options(args) {
  try {
    const { values } = parseArgs({
      args,
      options: { out: { type: "string", default: "packages" }, fast: { type: "boolean", default: false } },
    });
    return values;
  } catch (error) {
    throw new SetupError(`${error.message}; usage: npm run package -- [--out DIRECTORY] [--fast]`, 2);
  }
}

await asProgram(import.meta.url, async (args) => {
  const { out: given, fast } = options(args);
  const out = resolve(given);
  await installDependencies();
  const { version } = readJson(join(root, "package.json"));
  const work = mkdtempSync(join(tmpdir(), "mtjobs-package-"));
  try {
    mkdirSync(out, { recursive: true });
    const staged = join(work, "package");
    mkdirSync(staged);
    await stage(staged);
    await mustNpm(["pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", out], {
      cwd: staged,
    });
    if (process.platform === "linux") await makeFarmTarball(staged, { version, out, fast });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});
