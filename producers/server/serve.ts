import type { AddressInfo } from "node:net";
import { JobsError } from "../../shared/errors.ts";
import { listenError } from "../../shared/listen-error.ts";
import { checkRedis } from "../../shared/queue/redis-check.ts";
import { toQueueError } from "../../shared/queue/redis-errors.ts";
import { createLog } from "../../shared/settings/log.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { listeningUrl } from "../../shared/text.ts";
import { assertGuarded, type ListenAddress } from "../cli/options/listen-address.ts";
import { openSession } from "../jobs/session.ts";
import { AreaPool } from "./area-pool/area-pool.ts";
import { buildApp } from "./build-app.ts";
import type { ServerContext } from "./routes/server-context.ts";
import { readTokens, shortestToken } from "./tokens.ts";

/** Milliseconds for open requests after the server is told to stop. */
const stopGrace = 5000;

export interface ServeOptions {
  listen: ListenAddress;
  boardWrite: boolean;
  version: string;
  /** For `NO_COLOR`. */
  env?: NodeJS.ProcessEnv;
  /** Aborted: the server finishes open requests and stops. */
  signal: AbortSignal;
}

/**
 * Serves HTTP until `signal`; resolves to its URL. @throws {JobsError} `bad-settings` without roots, or without a
 * token if other machines could reach it, also through a proxy; `redis-unreachable`, `bad-redis`; `io` if it cannot listen
 */
export async function serve(settings: Settings, options: ServeOptions): Promise<string> {
  const { listen, signal } = options;
  if (settings.areas.length === 0) {
    throw new JobsError("bad-settings", "the server needs roots; it touches nothing outside them", {
      hint: "set MTJOBS_AREAS (--areas)",
    });
  }
  const tokens = readTokens(settings);
  await assertGuarded(listen, tokens.length > 0);
  if (settings.trustProxy.length > 0 && tokens.length === 0) {
    throw new JobsError(
      "bad-settings",
      "without a token everyone who reaches the proxy could do everything",
      {
        hint: "set MTJOBS_TOKEN or MTJOBS_TOKENS_FILE, or remove MTJOBS_TRUST_PROXY",
      },
    );
  }
  const log = createLog(settings, options.env);
  const session = await openSession(settings);
  const areaPool = new AreaPool({ ...settings, token: undefined });
  try {
    await checkRedis(session.redis, settings.redisUrl);
    const ask: ServerContext["ask"] = async (work) => {
      try {
        return await work();
      } catch (error) {
        throw await toQueueError(error, session.redis, settings.redisUrl);
      }
    };
    if (settings.token !== undefined && settings.token.length < shortestToken) {
      log.warn(
        `MTJOBS_TOKEN is shorter than ${shortestToken} characters and may be guessed; create one with openssl rand -hex 16`,
      );
    }
    const app = await buildApp({ settings, session, areaPool, ask }, { ...options, log, tokens });
    await app.listen(listen).catch((error: unknown) => {
      throw listenError(error, listen, "--listen");
    });
    const url = listeningUrl(app.server.address() as AddressInfo);
    log.info({ areas: settings.areas, token: tokens.length > 0 }, `serving ${url}`);
    await aborted(signal);
    log.info("stopping: finishing open requests");
    const tooLong = setTimeout(() => app.server.closeAllConnections(), stopGrace);
    await app.close();
    clearTimeout(tooLong);
    return url;
  } finally {
    await areaPool.close();
    await session.close();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
