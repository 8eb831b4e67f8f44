import { type LookupAddress, lookup } from "node:dns";
import { promisify } from "node:util";
import { JobsError } from "../errors.ts";
import { homeName } from "../home-name.ts";
import type { Settings } from "../settings.ts";
import type { Area } from "./area.ts";
import { readBounded } from "./read-bounded.ts";
import { resolveInside } from "./roots.ts";
import { systemCode } from "./system-code.ts";

/** Where the area lives: the host whose local disk holds its cache. */
export interface Homehost {
  /** An IPv4 address or a host name; undefined where `.homehost` is missing or still empty. */
  value: string | undefined;
  /** Set in the config: such an area must not be migrated. */
  pinned: boolean;
}

/** What `decideHome` found out. */
export interface HomeDecision {
  /** Undefined: the area has no homehost yet, nobody may decide. */
  atHome: boolean | undefined;
  /** One sentence for the operator. */
  reason: string;
  /** This host's, which `.homehost` was compared with; undefined where its name alone was, or it has none. */
  address?: string;
}

const maxBytes = 1024;

/** Reads the homehost and never writes it. A file that holds anything but one name or address throws `bad-config`. */
export function readHomehost(area: Area): Homehost {
  const configured = area.config.get("server", "homehost");
  if (configured !== undefined && configured !== "") {
    return { value: checked(configured, "[server] homehost"), pinned: true };
  }
  // A link to a file elsewhere would show its first line in our messages.
  if (resolveInside(area.homehostFile, [area.realPath]) === undefined)
    return { value: undefined, pinned: false };
  let text: string;
  try {
    text = readBounded(area.homehostFile, { maxBytes, code: "bad-config" });
  } catch (error) {
    if (systemCode(error) === "ENOENT") return { value: undefined, pinned: false };
    if (error instanceof JobsError) throw error;
    throw new JobsError("bad-config", `${area.homehostFile} cannot be read (${systemCode(error)})`, {
      cause: error,
    });
  }
  // Megatest's reader takes both ends of a line.
  const line = text.split(/\r?\n/, 1)[0] ?? "";
  return { value: line === "" ? undefined : checked(line, area.homehostFile), pinned: false };
}

/** Megatest compares to the letter, trailing blanks included: what looks right but is not must not pass. */
function checked(value: string, where: string): string {
  if (homeName.test(value)) return value;
  throw new JobsError(
    "bad-config",
    `${where} holds ${JSON.stringify(value.slice(0, 80))}, which is not a host name or address`,
    {
      hint: "it must be one line: an IPv4 address or a host name, without blanks",
    },
  );
}

/** True for an address that means another host on each host. */
export const isLoopback = (address: string) => address.startsWith("127.");

/** Where to go to work at home: by a loopback address no other host can be reached. */
export const homeText = (homehost: string) =>
  isLoopback(homehost)
    ? `the host whose own address is ${homehost} (a loopback address; check which host has the area's cache)`
    : homehost;

/**
 * This host's address as Megatest computes it: the last one not in 127/8 that the resolver returns for its name, and where
 * there is none of that kind, the first (`127.0.1.1` on Debian). `settings.address` overrides it.
 *
 * @throws JobsError `bad-settings` where the name has no address at all
 */
export async function hostAddress(settings: Pick<Settings, "address" | "host">): Promise<string> {
  if (settings.address !== undefined) return settings.address;
  const all = await addressesOf(settings.host);
  const best = all.filter((address) => !isLoopback(address)).at(-1) ?? all[0];
  if (best !== undefined) return best;
  throw new JobsError("bad-settings", `${settings.host} does not resolve to an IPv4 address`, {
    hint: setAddress,
  });
}

const setAddress = "set MTJOBS_ADDRESS to the address by which other hosts reach this one";

/**
 * The same where it may be told to other hosts, as a homehost's or in Redis: a loopback address only where the settings
 * say so, for every other host would take it for its own.
 *
 * @throws JobsError `bad-settings` where there is none
 */
export async function reachableAddress(settings: Pick<Settings, "address" | "host">): Promise<string> {
  const address = await hostAddress(settings);
  if (settings.address !== undefined || !isLoopback(address)) return address;
  throw new JobsError("bad-settings", `${settings.host} resolves only to ${address}, a loopback address`, {
    hint: setAddress,
  });
}

async function addressesOf(host: string): Promise<string[]> {
  try {
    const found: LookupAddress[] = await promisify(lookup)(host, { all: true, family: 4, verbatim: true });
    return found.map(({ address }) => address);
  } catch {
    return []; // a name that does not resolve has no address; the caller says so
  }
}

/** Whether this host is the homehost, and why. Undefined where the area has none yet. */
export async function decideHome({ value }: Homehost, settings: Settings): Promise<HomeDecision> {
  if (value === undefined) {
    return {
      atHome: undefined,
      reason:
        "the area has no homehost: .homehost is missing (start Megatest once on the intended host) or empty (write the host's address into it)",
    };
  }
  if (value === settings.host) return { atHome: true, reason: `the homehost is this host, ${value}` };
  let address: string;
  try {
    address = await hostAddress(settings);
  } catch (error) {
    if (!(error instanceof JobsError)) throw error;
    return {
      atHome: false,
      reason: `the homehost is ${value}, this host is ${settings.host}; ${error.message}`,
    };
  }
  const atHome = value === address;
  return {
    atHome,
    reason: `the homehost is ${value}, this host is ${settings.host} (${address})`,
    address,
  };
}

/** True where the homehost equals this host's name or best address; false too where there is none (see `decideHome`). */
export async function isAtHome(homehost: Homehost, settings: Settings): Promise<boolean> {
  return (await decideHome(homehost, settings)).atHome === true;
}
