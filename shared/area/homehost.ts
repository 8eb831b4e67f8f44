import { type LookupAddress, lookup } from "node:dns";
import { promisify } from "node:util";
import { JobsError, systemCode } from "../errors.ts";
import { readBounded } from "../files/read-bounded.ts";
import { resolveInside } from "../files/roots.ts";
import { homeName } from "../settings/home-name.ts";
import type { Settings } from "../settings/settings.ts";
import type { Area } from "./area.ts";

/** The host whose local disk holds the area's cache. */
export interface Homehost {
  /** An IPv4 address or a host name; undefined if missing or empty. */
  value: string | undefined;
  /** Set in the config; must not be migrated. */
  pinned: boolean;
}

export interface HomeDecision {
  /** Undefined without a homehost. */
  atHome: boolean | undefined;
  /** One sentence for the operator. */
  reason: string;
  /** This host's address, if compared. */
  address?: string;
}

const maxBytes = 1024;

/** Reads the homehost. @throws JobsError `bad-config` for anything but one name or address */
export function readHomehost(area: Area): Homehost {
  const configured = area.config.get("server", "homehost");
  if (configured !== undefined && configured !== "") {
    return { value: checked(configured, "[server] homehost"), pinned: true };
  }
  // A link out of the area would expose a line of its target in messages.
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
  const line = text.split(/\r?\n/, 1)[0] ?? "";
  return { value: line === "" ? undefined : checked(line, area.homehostFile), pinned: false };
}

/** Requires an exact name: Megatest compares all characters, including trailing blanks. */
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

/** Returns true for an address that means a different host on each host. */
export const isLoopback = (address: string) => address.startsWith("127.");

/** Describes the homehost, which a loopback address does not identify. */
export const homeText = (homehost: string) =>
  isLoopback(homehost)
    ? `the host whose own address is ${homehost} (a loopback address; check which host has the area's cache)`
    : homehost;

/**
 * Returns this host's address as Megatest computes it: the last one of its name not in 127/8, else the first
 * (`127.0.1.1` on Debian). `settings.address` overrides it.
 *
 * @throws JobsError `bad-settings` if the name has no address
 */
export async function hostAddress(settings: Pick<Settings, "address" | "host">): Promise<string> {
  if (settings.address !== undefined) return settings.address;
  const all = await addressesOf(settings.host);
  const best = all.filter((address) => !isLoopback(address)).at(-1) ?? all[0];
  if (best !== undefined) return best;
  throw new JobsError(
    "bad-settings",
    `the name ${settings.host} does not resolve to an IPv4 address, and MTJOBS_ADDRESS is not set for its worker`,
    {
      hint: setAddress,
    },
  );
}

const setAddress = "set MTJOBS_ADDRESS to the address by which other hosts reach this one";

/**
 * Returns the address to publish. Not a loopback address unless set explicitly: other hosts would take it for their
 * own.
 *
 * @throws JobsError `bad-settings` if there is none
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
    return []; // the caller reports a name without an address
  }
}

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

/** Returns true if the homehost equals this host's name or address. */
export async function isAtHome(homehost: Homehost, settings: Settings): Promise<boolean> {
  return (await decideHome(homehost, settings)).atHome === true;
}
