import { existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import {
  decideHome,
  hostAddress,
  isAtHome,
  reachableAddress,
  readHomehost,
} from "../../../shared/area/homehost.ts";
import { errorOf, makeArea, makeFifo, settingsFor, temporaryDirectory } from "../../support/area.ts";

describe("the homehost", () => {
  it.each([
    ["10.1.2.3\n", "10.1.2.3"],
    ["host-b.example.org", "host-b.example.org"],
    ["hostA\nrest\n", "hostA"],
    ["10.1.2.3\r\n", "10.1.2.3"],
    ["hostA\r\nrest\r\n", "hostA"],
    ["\r\n", undefined],
    ["", undefined],
    ["\n", undefined],
  ])("is read from %j as %j", (text, value) => {
    const area = openArea(makeArea(temporaryDirectory(), { ".homehost": text }));
    expect(readHomehost(area)).toEqual({ value, pinned: false });
  });

  it("is undefined where the file is missing, and the file is not written", () => {
    const area = openArea(makeArea(temporaryDirectory()));
    expect(readHomehost(area)).toEqual({ value: undefined, pinned: false });
    expect(existsSync(area.homehostFile)).toBe(false);
  });

  it("is pinned by the config, which overrides the file", () => {
    const files = { "megatest.config": "[server]\nhomehost 10.9.9.9\n", ".homehost": "10.1.2.3\n" };
    expect(readHomehost(openArea(makeArea(temporaryDirectory(), files)))).toEqual({
      value: "10.9.9.9",
      pinned: true,
    });
  });

  it.each([
    "10.1.2.3 \n",
    "a b\n",
    "-rf\n",
    "$(reboot)\n",
    "\u0000\u0001",
    "x".repeat(5000),
    "host\r\r\n",
    "host\rb\n",
  ])("is a clear error where the file holds %j", (text) => {
    const area = openArea(makeArea(temporaryDirectory(), { ".homehost": text }));
    expect(errorOf(() => readHomehost(area)).code).toBe("bad-config");
  });

  it("is a clear error at once where the file is a FIFO", () => {
    const area = openArea(makeArea(temporaryDirectory()));
    makeFifo(area.homehostFile);
    expect(errorOf(() => readHomehost(area)).code).toBe("bad-config");
  });

  it("shows nothing of a file outside of the area that it links to", () => {
    const root = temporaryDirectory();
    const area = openArea(makeArea(join(root, "area"), { "../secret": "the secret\n" }));
    symlinkSync(join(root, "secret"), area.homehostFile);
    expect(errorOf(() => readHomehost(area))).toMatchObject({
      code: "outside-roots",
      message: expect.not.stringContaining("the secret"),
    });
  });
});

describe("being at home", () => {
  it.each([
    ["hostA", true],
    ["10.1.2.3", true],
    ["hostB", false],
    ["10.1.2.30", false],
    ["hosta", false],
  ])("with host hostA at 10.1.2.3 and homehost %s is %s", async (value, atHome) => {
    expect(await isAtHome({ value, pinned: false }, settingsFor())).toBe(atHome);
  });

  it("is undecided where the area has no homehost", async () => {
    const homehost = { value: undefined, pinned: false };
    expect(await decideHome(homehost, settingsFor())).toMatchObject({ atHome: undefined });
    expect(await isAtHome(homehost, settingsFor())).toBe(false);
  });

  it.each(["localhost", "no-such-host.invalid"])(
    "is false with a reason where %s is this host's name, which resolves to no address of that kind",
    async (host) => {
      const settings = settingsFor({ host, address: undefined });
      const decision = await decideHome({ value: "10.1.2.3", pinned: false }, settings);
      expect(decision).toMatchObject({ atHome: false, reason: expect.stringContaining(host) });
    },
  );

  it("is true by a loopback address where the host's name resolves to nothing else, as Megatest has it", async () => {
    const settings = settingsFor({ host: "localhost", address: undefined });
    expect(await isAtHome({ value: "127.0.0.1", pinned: false }, settings)).toBe(true);
    expect(await isAtHome({ value: "127.0.0.1", pinned: false }, settingsFor())).toBe(false);
    expect(await isAtHome({ value: "127.0.0.1", pinned: false }, { ...settings, address: "10.1.2.3" })).toBe(
      false,
    );
  });
});

describe("this host's address", () => {
  it("is what the settings say, a loopback address too", async () => {
    expect(await hostAddress(settingsFor({ address: "127.0.0.5" }))).toBe("127.0.0.5");
  });

  it("is the resolver's last one for the host's name", async () => {
    expect(await hostAddress(settingsFor({ host: "192.0.2.7", address: undefined }))).toBe("192.0.2.7");
  });

  it.each([
    ["localhost", "127.0.0.1"],
    ["127.0.1.1", "127.0.1.1"],
  ])("is the loopback one where %s resolves to nothing else", async (host, address) => {
    expect(await hostAddress(settingsFor({ host, address: undefined }))).toBe(address);
  });

  it.each([
    ["localhost", "loopback"],
    ["no-such-host.invalid", "does not resolve to an IPv4 address"],
  ])("at which others reach it is an error for %s", async (host, reason) => {
    const error = await reachableAddress(settingsFor({ host, address: undefined })).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({
      code: "bad-settings",
      message: expect.stringContaining(reason),
      hint: expect.stringContaining("MTJOBS_ADDRESS"),
    });
    expect(await reachableAddress(settingsFor({ host, address: "127.0.0.5" }))).toBe("127.0.0.5");
  });

  it("is an error for a name that does not resolve", async () => {
    const settings = settingsFor({ host: "no-such-host.invalid", address: undefined });
    await expect(hostAddress(settings)).rejects.toMatchObject({ code: "bad-settings" });
  });
});
