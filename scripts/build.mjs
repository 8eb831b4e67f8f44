/**
 * Builds what runs: `node scripts/build.mjs [product] [tests]` makes dist/ (the default) and dist-test/, the programs
 * that tests start; with `--if-stale` only if a source is newer; with `--package` also what only a package needs:
 * types and the manual page. It builds into a temporary directory and then replaces
 * dist, so that a failed build keeps the last good one, and files of removed sources disappear.
 */

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { ask, root, run, SetupError, say } from "./command.mjs";
import { asProgram } from "./program.mjs";

const executable = join("entry", "mtjobs.js");
const sourceDirectories = ["entry", "producers", "workers", "shared"];
const pageDirectory = "producers/server/page";

/** Packages with files that cannot be bundled: native code, and what Tinypool starts as a thread. */
const unbundled = ["better-sqlite3", "tinypool", "msgpackr-extract"];

/**
 * The builds, with the files that are run or imported by path. Programs share what they load, the server's threads too;
 * what a command may have to start is one file. The library leaves the dependencies to the program that imports it.
 */
export const targets = {
  product: {
    out: "dist",
    sources: sourceDirectories,
    bundlesPackages: true,
    library: ["entry/library.ts"],
    programs: ["entry/mtjobs.ts", "producers/server/area-pool/area-pool-thread.ts"],
    threads: [
      "producers/query/main.ts",
      "workers/job-thread/job-thread.ts",
      "workers/migrate/pair/digest-thread.ts",
      "workers/move/writers/source-thread.ts",
      "workers/periodic/policy-scan-thread.ts",
    ],
    page: [`${pageDirectory}/main.ts`, `${pageDirectory}/page.css`],
  },
  tests: {
    out: "dist-test",
    sources: [...sourceDirectories, "test"],
    programs: [
      "test/bench/bare-worker.ts",
      "test/bench/farm-process.ts",
      "test/bench/main.ts",
      "test/support/hosts/migrate-process.ts",
      "test/support/megatest/client-process.ts",
      "test/support/megatest/server-process.ts",
      "test/support/queue/count-meanwhile.mjs",
      "test/support/queue/scripted-job-thread.mjs",
      "test/support/queue/worker-process.mjs",
    ],
  },
};

/**
 * Packages that read files of their own, and where those are in dist: the bundle tells them. Bull Board takes the
 * directory as an option.
 */
const assets = {
  "@bull-board/ui": { from: "dist", to: "bull-board/dist" },
  "@fastify/swagger-ui": { from: "static", to: "swagger-ui/static", omit: /swagger-ui\.js$/ },
};

/**
 * Returns the newest modification below a path, including directories, so that a removed file counts. Tests are not
 * built.
 */
function newest(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return path.endsWith(".test.ts") ? 0 : stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function isStale({ out, sources }) {
  const built = statSync(join(root, out), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const inputs = [...sources, "npm-shrinkwrap.json", "scripts/build.mjs"];
  return built === 0 || inputs.some((input) => newest(join(root, input)) > built);
}

/** Gives the modules of @fastify/swagger-ui, which are CommonJS, the directory of their copied files. */
const swaggerFiles = {
  name: "swagger-files",
  setup({ onLoad }) {
    onLoad({ filter: /node_modules\/@fastify\/swagger-ui\/(?:index|lib\/[\w-]+)\.js$/ }, ({ path }) => {
      const [, inside] = path.split("@fastify/swagger-ui/");
      const directory = JSON.stringify(join("dist", "swagger-ui", dirname(inside)));
      const top = 'require("node:path").dirname(require.resolve("megatest-jobs/package.json"))';
      const text = readFileSync(path, "utf8").replace(
        /^/,
        `const __dirname = require("node:path").join(${top}, ${directory});`,
      );
      return { contents: text, loader: "js" };
    });
  },
};

/**
 * Bundles the API of OpenTelemetry with prom-client, which requires it when it is loaded: as a package it is optional
 * (the traces of `shared/queue/tracing.ts`), and without it neither a worker with metrics nor a server would start.
 */
const metricsApi = {
  name: "metrics-api",
  setup({ onResolve }) {
    onResolve({ filter: /^@opentelemetry\/api$/ }, ({ path, importer }) =>
      importer.includes(join("node_modules", "prom-client"))
        ? { path: createRequire(importer).resolve(path) }
        : undefined,
    );
  },
};

/**
 * Loads a module of Node's own when something of it is first used. An `import` loads it at once and reads all that it
 * exports, which loads further modules, and that slows the start of a command.
 */
const builtinsWhenUsed = {
  name: "builtins-when-used",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === "import-statement" ? { path, namespace: "builtin" } : undefined,
    );
    // esbuild gives what imports this module an object with the same prototype. Functions and emitters of events are
    // loaded at once.
    onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => ({
      contents:
        typeof process.getBuiltinModule(path) === "function" || path === "node:process"
          ? `module.exports = require("${path}");`
          : `let loaded;
            const get = (_, name) => (loaded ??= require("${path}"))[name];
            module.exports = Object.create(new Proxy({}, { get }));`,
    }));
  },
};

/** What every command loads first, and what it loads later, by `import()`. */
const firstLoaded = "entry/command.ts";

/** Returns what `from` imports, without `import()`. */
function staticImports(inputs, from) {
  const found = new Set();
  const visit = (path) => {
    if (found.has(path)) return;
    found.add(path);
    for (const { path: imported, kind, external } of inputs[path]?.imports ?? [])
      if (kind !== "dynamic-import" && external !== true) visit(imported);
  };
  visit(from);
  found.delete(from);
  return [...found];
}

/**
 * Puts what every command loads into one file: on NFS, each file takes a round trip or more. esbuild makes one file of
 * the modules that the same entry points reach, and what is imported later is an entry point; so all import all of it.
 */
async function inOneFile(esbuild, options) {
  const { metafile } = await esbuild({ ...options, write: false, plugins: [swaggerFiles, metricsApi] });
  const { inputs } = metafile;
  const isOwn = (path) => inputs[path] !== undefined && !path.includes("node_modules");
  const all = staticImports(inputs, firstLoaded).filter(isOwn);
  const later = Object.values(inputs).flatMap(({ imports }) =>
    imports.filter(({ kind }) => kind === "dynamic-import").map(({ path }) => path),
  );
  const entries = new Set(
    [...options.entryPoints.filter((path) => path !== "entry/mtjobs.ts"), ...later]
      .filter(isOwn)
      .map((path) => join(root, path)),
  );
  return {
    name: "in-one-file",
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^first-loaded$/ }, () => ({ path: "first-loaded", namespace: "first" }));
      onLoad({ filter: /./, namespace: "first" }, () => ({
        contents: all.map((path) => `import ${JSON.stringify(join(root, path))};`).join("\n"),
        resolveDir: root,
      }));
      onLoad({ filter: /\.ts$/ }, ({ path }) =>
        entries.has(path)
          ? { contents: `${readFileSync(path, "utf8")}\nimport "first-loaded";\n`, loader: "ts" }
          : undefined,
      );
    },
  };
}

/** Small checkouts in tests lack some. */
const present = (paths) => paths.filter((path) => existsSync(join(root, path)));

/** Bundles the programs, the library and, for browsers, the page. Resolves to the paths of all inputs. */
async function bundle({ programs, threads = [], library = [], page = [], bundlesPackages = false }, out) {
  const { build: esbuild } = await import("esbuild");
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const options = {
    absWorkingDir: root,
    outbase: ".",
    outdir: out,
    bundle: true,
    // Less to install; names stay, for stack traces.
    minifyWhitespace: true,
    format: "esm",
    entryPoints: present(programs),
    metafile: true,
    // For debuggers; not packed.
    sourcemap: true,
    sourcesContent: false,
    logLevel: "warning",
  };
  const external = [...Object.keys(peerDependencies), "megatest-jobs"];
  const require =
    'import { createRequire as createRequire_ } from "node:module"; const require = createRequire_(import.meta.url);';
  const forNode = {
    ...options,
    platform: "node",
    target: "node22.15",
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    ...(bundlesPackages ? { external: [...unbundled, ...external] } : { packages: "external" }),
    // Bundled CommonJS modules require Node's own modules.
    banner: { js: require },
  };
  const plugins = [swaggerFiles, metricsApi];
  const each = (entryPoints, more = {}) =>
    esbuild({ ...forNode, plugins, entryPoints: present(entryPoints), ...more });
  const first = bundlesPackages ? [await inOneFile(esbuild, forNode)] : [];
  const built = [
    each(programs, { plugins: [...plugins, builtinsWhenUsed, ...first] }),
    each(threads, { splitting: false }),
    each(library, { external: [...Object.keys(dependencies), ...external] }),
  ];
  if (page.every((path) => existsSync(join(root, path)))) {
    const entryPoints = page;
    built.push(esbuild({ ...options, entryPoints, platform: "browser", target: "es2023", minify: true }));
  }
  return (await Promise.all(built)).flatMap(({ metafile }) => Object.keys(metafile.inputs));
}

/** Writes the page's files again in the forms that browsers accept; the server chooses. */
function compressPage(directory) {
  for (const name of readdirSync(directory).filter((file) => /\.(?:js|css)$/.test(file))) {
    const content = readFileSync(join(directory, name));
    writeFileSync(join(directory, `${name}.br`), brotliCompressSync(content));
    writeFileSync(join(directory, `${name}.gz`), gzipSync(content));
  }
}

/** Copies the files that the page and bundled packages serve. */
function copyAssets(out) {
  const html = join(pageDirectory, "page.html");
  if (existsSync(join(root, html))) {
    cpSync(join(root, html), join(out, html));
    compressPage(join(out, pageDirectory));
  }
  for (const [name, { from, to, omit }] of Object.entries(assets)) {
    const filter = (path) => omit === undefined || !omit.test(path);
    cpSync(join(root, "node_modules", name, from), join(out, to), { recursive: true, filter });
  }
}

/** Writes the types of the library: tsc writes those of every source, and those that its own do not name go. */
async function emitTypes(out) {
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  if ((await run(process.execPath, [compiler, "-p", "tsconfig.build.json", "--outDir", out])) !== 0) {
    throw new SetupError("tsc -p tsconfig.build.json failed; see the errors above");
  }
  const named = new Set();
  const follow = (file) => {
    if (named.has(file)) return;
    named.add(file);
    for (const [, from] of readFileSync(file, "utf8").matchAll(/from "(\.[^"]+)\.ts"/g)) {
      follow(join(dirname(file), `${from}.d.ts`));
    }
  };
  follow(join(out, "entry", "library.d.ts"));
  // better-sqlite3 has no types of its own; with a copy, a program needs no further package.
  const sqliteTypes = join(out, "better-sqlite3.d.cts");
  cpSync(join(root, "node_modules", "@types", "better-sqlite3", "index.d.ts"), sqliteTypes);
  named.add(sqliteTypes);
  for (const file of named) {
    const text = readFileSync(file, "utf8");
    const path = relative(dirname(file), sqliteTypes.replace(/\.d\.cts$/, ".cjs"));
    const from = `from "${path.startsWith(".") ? path : `./${path}`}"`;
    if (text.includes('from "better-sqlite3"'))
      writeFileSync(file, text.replace('from "better-sqlite3"', from));
  }
  for (const name of readdirSync(out, { recursive: true }).filter((path) => path.endsWith(".d.ts"))) {
    if (!named.has(join(out, name))) rmSync(join(out, name));
  }
}

/** Writes the licences of all bundled packages. */
function writeLicences(inputs, out) {
  const directories = new Set(
    inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  );
  for (const name of [...Object.keys(assets), "@types/better-sqlite3"]) {
    directories.add(join("node_modules", name));
  }
  const texts = [...directories].sort().map((directory) => {
    const { name, version, license } = JSON.parse(
      readFileSync(join(root, directory, "package.json"), "utf8"),
    );
    const file = readdirSync(join(root, directory)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? "" : `\n${readFileSync(join(root, directory, file), "utf8").trim()}\n`;
    return `${name} ${version}: ${license ?? "see its package"}\n${text}`;
  });
  writeFileSync(join(out, "LICENCES.txt"), texts.join(`\n${"-".repeat(80)}\n\n`));
}

/** Writes the manual page, from the output of the built program. */
async function writeManual(out) {
  const { code, stdout, stderr } = await ask(process.execPath, [join(out, executable), "manual"]);
  if (code !== 0) throw new SetupError(`mtjobs manual failed: ${stderr}`);
  writeFileSync(join(out, "mtjobs.1"), stdout);
}

/** Builds one target into its directory or `out`. @throws {SetupError} if the sources have errors; the old build stays then. */
export async function build(target, { forPackage = false, out = join(root, target.out) } = {}) {
  const isProduct = target === targets.product;
  if (!existsSync(join(root, "node_modules", "esbuild"))) {
    say("no esbuild here (npm ci --omit=dev omits it): nothing built");
    return;
  }
  const started = new Date();
  const fresh = `${out}.new-${process.pid}`;
  const old = `${out}.old-${process.pid}`;
  try {
    const inputs = await bundle(target, fresh).catch((error) => {
      throw new SetupError(`building ${target.out}/ failed: ${error.message}`);
    });
    if (isProduct) {
      copyAssets(fresh);
      writeLicences(inputs, fresh);
    }
    if (existsSync(join(fresh, executable))) chmodSync(join(fresh, executable), 0o755);
    if (isProduct && forPackage) {
      await emitTypes(fresh);
      await writeManual(fresh);
    }
    // Made by the first command, it would make the build look newer than sources saved meanwhile.
    if (isProduct && !forPackage) mkdirSync(join(fresh, "compile-cache"), { mode: 0o700 });
    // The directory gets the start time: a source saved during the build must count as newer.
    utimesSync(fresh, started, started);
    if (existsSync(out)) renameSync(out, old);
    renameSync(fresh, out);
  } finally {
    for (const left of [fresh, old]) rmSync(left, { recursive: true, force: true });
  }
}

/** Builds one target if a source is newer than its last build. */
export async function buildIfStale(target) {
  if (!isStale(target)) return;
  say(`building ${target.out}/`);
  await build(target);
}

await asProgram(import.meta.url, async (args) => {
  const names = args.filter((argument) => Object.hasOwn(targets, argument));
  const options = { forPackage: args.includes("--package") };
  const work = args.includes("--if-stale") ? buildIfStale : build;
  for (const name of names.length > 0 ? names : ["product"]) await work(targets[name], options);
});
