import { isIPv6 } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { isLoopback } from "../cli/options/listen-address.ts";
import { isReading, mayUse, type Role } from "../contract/roles.ts";
import { plainProblem, sendProblem } from "./routes/problems.ts";
import { type AccessToken, findToken } from "./tokens.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The requester, as recorded in the history. */
    caller: string;
    /** Name of the token that was sent; undefined if none is needed. */
    accessToken: string | undefined;
    role: Role;
  }
  interface FastifyContextConfig {
    /** Needs no token. */
    open?: boolean;
  }
}

/** Wrong tokens per address within `window` seconds; further ones get 429 until the window ends. */
const tries = 10;
const window = 60;
/** Maximum characters of a URL; an area's path may have 4096. */
const longestUrl = 8192;

interface Credentials {
  user: string | undefined;
  secret: string;
}

function credentialsOf({ headers }: FastifyRequest): Credentials | undefined {
  const [, scheme = "", value = ""] = /^(bearer|basic) +(\S.*)$/i.exec(headers.authorization ?? "") ?? [];
  if (scheme.toLowerCase() === "bearer") return { user: undefined, secret: value };
  if (scheme === "") return undefined;
  const [user = "", ...password] = Buffer.from(value, "base64").toString("utf8").split(":");
  return { user, secret: password.join(":") };
}

/**
 * Maps addresses that one person can have to one key: a /64 network of IPv6, or an IPv4 address in either notation.
 */
function addressKey(ip: string): string {
  const address = ip.replace(/^::ffff:(?=\d+\.)/, "");
  return isIPv6(address) ? address.split(":").slice(0, 4).join(":") : address;
}

function callerOf(request: FastifyRequest, user: string | undefined): string {
  return `${/^[\w.+-]{1,64}$/.test(user ?? "") ? user : "http"}@${request.ip}`;
}

/** Returns true for a request that a page of another site made; mtjobs's own pages never send one. */
function isCrossSite({ headers, method, host }: FastifyRequest): boolean {
  if (isReading({ method })) return false;
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") return true;
  const { origin } = headers;
  return origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host);
}

/** Returns true for a Host that is not a loopback name, which without a token may be DNS rebinding. */
function isForeignName(host: string | undefined): boolean {
  const name = (host ?? "")
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "")
    .toLowerCase();
  return name !== "localhost" && !isLoopback(name);
}

/** Returns the limiter's rejection; rethrows any other error. */
function asLimit(reason: unknown): RateLimiterRes {
  if (reason instanceof RateLimiterRes) return reason;
  throw reason;
}

function refuse(reply: FastifyReply, status: number, detail: string): FastifyReply {
  return sendProblem(reply, plainProblem(status, detail));
}

export interface AccessRules {
  /** Empty: all requests are admitted, of loopback only. */
  tokens: readonly AccessToken[];
  /** Returns true for the address of a trusted proxy. */
  isProxy: (address: string) => boolean;
  /** Header in which such a proxy names the user. */
  userHeader: string | undefined;
}

/** Returns the user whom a trusted proxy names. */
function proxyUser(request: FastifyRequest, { isProxy, userHeader }: AccessRules): string | undefined {
  if (userHeader === undefined || !isProxy(request.socket.remoteAddress ?? "")) return undefined;
  const value = request.headers[userHeader.toLowerCase()];
  return typeof value === "string" ? value : undefined;
}

/**
 * Admits requests with a token, as bearer token or as the password of any user; without tokens set, all requests. It
 * guards every route of `app` except those marked `open`, including unknown ones. The limit on wrong tokens only keeps
 * the log small; a token's length (`shortestToken`) prevents guessing.
 */
export function guardAccess(app: FastifyInstance, rules: AccessRules): void {
  const { tokens } = rules;
  const failures = new RateLimiterMemory({ points: tries, duration: window });
  app.decorateRequest("caller", "");
  app.decorateRequest("accessToken", undefined);
  app.decorateRequest("role", "read");

  async function admit(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    const credentials = credentialsOf(request);
    const token = credentials === undefined ? undefined : findToken(tokens, credentials.secret);
    // The owner of a named token cannot pass for another user; MTJOBS_TOKEN is shared by those who give their names.
    const given = token === undefined || token.isShared ? credentials?.user : token.name;
    request.caller = callerOf(request, proxyUser(request, rules) ?? given);
    if (token !== undefined) {
      // Never limited: behind a proxy, others could lock the owner out.
      request.accessToken = token.name;
      request.role = token.role;
      return refuseRole(request, reply);
    }
    if (credentials !== undefined) {
      // Counted before the first await, so that concurrent requests are all counted.
      const over = await failures.consume(addressKey(request.ip)).then(() => undefined, asLimit);
      if (over !== undefined) {
        reply.header("retry-after", Math.ceil(over.msBeforeNext / 1000));
        return refuse(reply, 429, "too many wrong tokens from this address");
      }
    }
    reply.header("www-authenticate", ['Bearer realm="mtjobs"', 'Basic realm="mtjobs", charset="UTF-8"']);
    return refuse(reply, 401, credentials === undefined ? "token required" : "wrong token");
  }

  app.addHook("onRequest", async (request, reply) => {
    request.caller = callerOf(request, proxyUser(request, rules));
    if ((request.raw.url?.length ?? 0) > longestUrl) return refuse(reply, 414, "the URL is too long");
    if (request.routeOptions.config.open === true) return;
    if (tokens.length === 0 && isForeignName(request.headers.host)) {
      return refuse(reply, 421, "without a token only requests to a loopback name are accepted");
    }
    if (isCrossSite(request)) return refuse(reply, 403, "requests from pages of other sites are refused");
    if (tokens.length > 0) return await admit(request, reply);
    request.role = "admin";
  });
}

/** Refuses what the request's token may not do. */
function refuseRole(request: FastifyRequest, reply: FastifyReply): FastifyReply | undefined {
  const needed = isReading(request) ? "read" : "operate";
  if (mayUse(request.role, needed)) return undefined;
  return refuse(
    reply,
    403,
    `this needs a token with the role ${needed}, and ${request.accessToken} has ${request.role}`,
  );
}
