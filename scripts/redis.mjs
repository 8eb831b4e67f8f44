/** Finds a Redis, or starts a private one that ends with this process. */
import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, root, SetupError, say, which } from "./command.mjs";
import { installPackages, stopService } from "./package-manager.mjs";

const servers = ["redis-server", "valkey-server"];
const image = "redis:7-alpine";
const nothingFound = `no Redis found, and none could be started. Do one of these:
  - install redis-server or valkey-server (Debian, Ubuntu: sudo apt-get install redis-server;
    Fedora: sudo dnf install valkey; Alpine: apk add redis; macOS: brew install redis)
  - start a Docker engine
  - set MTJOBS_REDIS_URL to a running Redis, for example redis://127.0.0.1:6379`;

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Sends one PING; resolves to the first line of the reply, or undefined after the timeout. */
function ping(where, timeoutMs = 1_000) {
  return new Promise((resolve) => {
    const socket = connect(where);
    const settle = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => settle(undefined));
    socket.once("error", () => settle(undefined));
    socket.once("close", () => settle(undefined));
    socket.once("connect", () => socket.write("PING\r\n"));
    socket.once("data", (data) => settle(data.toString("latin1").split("\r\n")[0]));
  });
}

/** Starts a server under a guard and waits until it replies. Rejects with the server's log. */
async function startGuarded({ name, port, deadlineMs, makePlan }) {
  const directory = mkdtempSync(join(tmpdir(), "mtjobs-redis-"));
  const log = join(directory, "server.log");
  writeFileSync(log, "");
  const plan = { directory, log, ...makePlan(directory) };
  const guard = fork(join(root, "scripts", "redis-guard.mjs"), [JSON.stringify(plan)], {
    detached: true,
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    execArgv: [],
  });
  const exited = new Promise((resolve) => guard.once("exit", resolve));
  const stop = async () => {
    if (guard.connected) guard.disconnect();
    await exited;
    rmSync(directory, { recursive: true, force: true });
  };
  const deadline = Date.now() + deadlineMs;
  while ((await ping({ host: "127.0.0.1", port })) !== "+PONG") {
    const gone = await Promise.race([exited.then(() => true), new Promise((next) => setTimeout(next, 50))]);
    if (gone === true || Date.now() > deadline) {
      const lastWords = readFileSync(log, "utf8").trim().split("\n").slice(-5).join("\n");
      await stop();
      throw new SetupError(`${name} did not start${lastWords === "" ? "" : `:\n${lastWords}`}`);
    }
  }
  const watch = (pid) => guard.connected && guard.send({ charge: pid });
  return { url: `redis://127.0.0.1:${port}`, stop, watch };
}

async function startBinary(path) {
  const port = await freePort();
  say(`starting a private ${path} on 127.0.0.1:${port}`);
  return startGuarded({
    name: path,
    port,
    deadlineMs: 15_000,
    makePlan: (directory) => ({
      command: path,
      args: [
        ...["--port", String(port), "--bind", "127.0.0.1", "--dir", directory, "--daemonize", "no"],
        ...["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"],
      ],
    }),
  });
}

async function startContainer(docker) {
  say(`pulling ${image} with Docker`);
  const pulled = await ask(docker, ["pull", "-q", image], { timeoutMs: 180_000 });
  if (pulled.code !== 0) throw new SetupError(`docker pull ${image} failed: ${pulled.stderr.trim()}`);
  const port = await freePort();
  const name = `mtjobs-${randomUUID()}`;
  say(`starting a Docker container ${name} on 127.0.0.1:${port}`);
  return startGuarded({
    name: `container ${name}`,
    port,
    deadlineMs: 60_000,
    makePlan: () => ({
      command: docker,
      args: [
        ...["run", "--rm", "--name", name, "-p", `127.0.0.1:${port}:6379`, image],
        ...["redis-server", "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"],
      ],
      cleanUp: [docker, "rm", "-f", name],
    }),
  });
}

/** Checks that a server listens at the Redis URL of the environment. */
async function useGiven(text) {
  if (!URL.canParse(text)) throw new SetupError(`MTJOBS_REDIS_URL is not a URL: ${text}`);
  const url = new URL(text);
  const where =
    url.protocol === "unix:"
      ? { path: decodeURIComponent(url.pathname) }
      : { host: url.hostname.replace(/^\[|\]$/g, "") || "127.0.0.1", port: Number(url.port || 6379) };
  // With TLS or a password the reply is not PONG; a listening port is sufficient here.
  const listens = await new Promise((resolve) => {
    const socket = connect(where);
    const settle = (result) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(3_000, () => settle(false));
    socket.once("error", () => settle(false));
    socket.once("connect", () => settle(true));
  });
  if (!listens) {
    throw new SetupError(
      `nothing listens at MTJOBS_REDIS_URL (${url.host || url.pathname}): start that Redis, or unset the variable`,
    );
  }
  say("using the Redis of MTJOBS_REDIS_URL");
  return { url: text, stop: async () => {}, watch: () => {} };
}

function tell(error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  return undefined;
}

async function startFromPath() {
  for (const path of servers.map(which)) {
    const server = path === undefined ? undefined : await startBinary(path).catch(tell);
    if (server !== undefined) return server;
  }
  return undefined;
}

async function startWithDocker() {
  const docker = which("docker");
  if (docker === undefined || (await ask(docker, ["info"])).code !== 0) return undefined;
  return startContainer(docker).catch(tell);
}

async function startInstalled() {
  // Installing does not help a server that fails to start, and its service must not be stopped.
  if (servers.some((name) => which(name) !== undefined)) return undefined;
  const installed = await installPackages("Redis", {
    apt: [["redis-server"], ["valkey-server"]],
    dnf: [["redis"], ["valkey"]],
    apk: [["redis"], ["valkey"]],
    brew: [["redis"]],
  });
  if (!installed) return undefined;
  await stopService("redis-server");
  return startFromPath();
}

/**
 * Provides a Redis. In this order: that of MTJOBS_REDIS_URL, a private redis-server or valkey-server from the PATH,
 * a Docker container, one installed by the system's package manager.
 * @throws {SetupError} if there is none, saying what to install
 */
export async function startRedis() {
  const given = process.env.MTJOBS_REDIS_URL;
  if (given !== undefined && given !== "") return useGiven(given);
  const server = (await startFromPath()) ?? (await startWithDocker()) ?? (await startInstalled());
  if (server === undefined) throw new SetupError(nothingFound);
  return server;
}

/** Runs `body` with a Redis and removes what was started for it, however `body` ends. */
export async function withRedis(body) {
  const redis = await startRedis();
  try {
    return await body(redis);
  } finally {
    await redis.stop();
  }
}
