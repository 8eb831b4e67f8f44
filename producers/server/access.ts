import { createHash, timingSafeEqual } from "node:crypto";
import { isIPv6 } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { isLoopback } from "../listen-address.ts";
import { plainProblem, sendProblem } from "./problems.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who asks, as the history shall name them. */
    caller: string;
  }
  interface FastifyContextConfig {
    /** Answered without a token. */
    open?: boolean;
  }
}

/** Wrong tokens of one address that are told to be wrong within `window` seconds; then none is until they are over. */
const tries = 10;
const window = 60;
/** Characters of a token that cannot be guessed in any time: 64 bits and more where they are random hexadecimal digits. */
export const shortestToken = 16;
/** Characters of a URL; the paths of areas go up to 4096. */
const longestUrl = 8192;

interface Credentials {
  user: string | undefined;
  secret: string;
}

const digest = (text: string) => createHash("sha256").update(text).digest();

/** Takes the same time whatever is wrong about `given`, its length included. */
function isSame(given: string, expected: Buffer): boolean {
  return timingSafeEqual(digest(given), expected);
}

function credentialsOf({ headers }: FastifyRequest): Credentials | undefined {
  const [, scheme = "", value = ""] = /^(bearer|basic) +(\S.*)$/i.exec(headers.authorization ?? "") ?? [];
  if (scheme.toLowerCase() === "bearer") return { user: undefined, secret: value };
  if (scheme === "") return undefined;
  const [user = "", ...password] = Buffer.from(value, "base64").toString("utf8").split(":");
  return { user, secret: password.join(":") };
}

/** Addresses that one person has are one: an IPv6 network of 64 bits, an IPv4 address however it is written. */
function addressKey(ip: string): string {
  const address = ip.replace(/^::ffff:(?=\d+\.)/, "");
  return isIPv6(address) ? address.split(":").slice(0, 4).join(":") : address;
}

function callerOf(request: FastifyRequest, user: string | undefined): string {
  return `${/^[\w.+-]{1,64}$/.test(user ?? "") ? user : "http"}@${request.ip}`;
}

/** A page of another site makes a browser ask here; nothing of ours does so. */
function isCrossSite({ headers, method }: FastifyRequest): boolean {
  if (["GET", "HEAD", "OPTIONS"].includes(method)) return false;
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") return true;
  const { origin } = headers;
  return origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === headers.host);
}

/** Without a token: a name of another machine that was made to mean this one (DNS rebinding). */
function isForeignName(host: string | undefined): boolean {
  const name = (host ?? "")
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "")
    .toLowerCase();
  return name !== "localhost" && !isLoopback(name);
}

/** What the limiter rejects with once its points are spent; any other error is thrown on. */
function asLimit(reason: unknown): RateLimiterRes {
  if (reason instanceof RateLimiterRes) return reason;
  throw reason;
}

function refuse(reply: FastifyReply, status: number, detail: string): FastifyReply {
  return sendProblem(reply, plainProblem(status, detail));
}

/**
 * Lets in who has the token, as bearer or as the password of any user; everybody where there is none. Every route of
 * `app` stands behind it but those marked `open`, those that do not exist too. The count of wrong tokens keeps a log from
 * filling up; against guessing stands the token's length alone (`shortestToken`).
 */
export function guardAccess(app: FastifyInstance, token: string | undefined): void {
  const expected = token === undefined ? undefined : digest(token);
  const failures = new RateLimiterMemory({ points: tries, duration: window });
  app.decorateRequest("caller", "");

  async function admit(
    request: FastifyRequest,
    reply: FastifyReply,
    wanted: Buffer,
  ): Promise<FastifyReply | undefined> {
    const credentials = credentialsOf(request);
    request.caller = callerOf(request, credentials?.user);
    if (credentials !== undefined) {
      // Never counted, nor refused for what others tried: behind one proxy a stranger could lock its owner out.
      if (isSame(credentials.secret, wanted)) return undefined;
      // Counted before anything is awaited: requests that come at once are counted one by one.
      const over = await failures.consume(addressKey(request.ip)).then(() => undefined, asLimit);
      if (over !== undefined) {
        reply.header("retry-after", Math.ceil(over.msBeforeNext / 1000));
        return refuse(reply, 429, "too many wrong tokens from this address");
      }
    }
    reply.header("www-authenticate", ['Bearer realm="mtjobs"', 'Basic realm="mtjobs", charset="UTF-8"']);
    return refuse(reply, 401, credentials === undefined ? "a token is needed" : "the token is wrong");
  }

  app.addHook("onRequest", async (request, reply) => {
    request.caller = callerOf(request, undefined);
    if ((request.raw.url?.length ?? 0) > longestUrl) return refuse(reply, 414, "the URL is too long");
    if (request.routeOptions.config.open === true) return;
    if (expected === undefined && isForeignName(request.headers.host)) {
      return refuse(reply, 421, "without a token only requests to a loopback name are answered");
    }
    if (isCrossSite(request)) return refuse(reply, 403, "requests from other sites' pages are refused");
    return expected === undefined ? undefined : await admit(request, reply, expected);
  });
}
