import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { assertNothingLost, type NothingLostOptions, record, type Union } from "../support/area.ts";
import { readArea } from "./area-copy.ts";
import type { Farm, HostName } from "./farm.ts";
import { say, until } from "./run.ts";

const minute = 60_000;
/** Three emulated machines on two cores move a few runs in a minute or two; a lease lasts a minute, a stalled job half of one. */
const endsWithinMs = 12 * minute;

export type Kind = "reduce" | "restore";
const commands: Record<Kind, string> = {
  reduce: "--age 340d",
  restore: "--runname % --grace 1s",
};

/** What is counted for docs/: by mount and fault. */
interface Figures {
  rounds: number;
  again: number;
  longestS: number;
  violations: number;
}

/** Jobs on one area of a farm, and what became of it. */
export class Rounds {
  readonly farm: Farm;
  readonly area = "/areas/samples/release";
  home: HostName = "hosta";
  /** What the area must hold. */
  before: Union | undefined;
  next: Kind = "reduce";
  readonly #figures = new Map<string, Figures>();

  constructor(farm: Farm) {
    this.farm = farm;
  }

  get other(): HostName {
    return this.home === "hosta" ? "hostb" : "hosta";
  }

  async command(host: HostName, command: string): Promise<string> {
    return await this.farm
      .host(host)
      .sh(`set -a; . /etc/mtjobs.env; set +a; runuser -u megatest -- mtjobs ${command}`);
  }

  read(): Promise<Union> {
    return readArea(this.farm.host(this.home), this.area, this.farm.directory, this.farm.server);
  }

  /** Requests the next job from the other host, and waits until a worker has begun it. */
  async begin(): Promise<string> {
    const kind = this.next;
    const text = await this.command(this.other, `${kind} ${this.area} ${commands[kind]} --json`);
    const { jobId } = JSON.parse(text) as { jobId: string };
    await until(`${jobId} to begin`, async () => (await this.#field(jobId, "processedOn")) !== "", {
      deadline: 3 * minute,
      state: () => this.log(),
    });
    return jobId;
  }

  /** Waits until a job has ended; resolves to why it failed, "" if it did not. */
  async end(jobId: string): Promise<string> {
    await until(`${jobId} to end`, async () => (await this.#field(jobId, "finishedOn")) !== "", {
      deadline: endsWithinMs,
      state: () => this.log(),
    });
    return await this.#field(jobId, "failedReason");
  }

  async #field(jobId: string, name: string): Promise<string> {
    const { stdout } = await this.farm.server.ask(
      `timeout 5 redis-cli --raw HGET '{mtjobs}:host.${this.home}:${jobId}' ${name}`,
    );
    return stdout.trim();
  }

  log(): Promise<string> {
    return this.farm.host(this.home).sh("journalctl -u mtjobs-worker -o cat --no-pager | tail -30");
  }

  /** A job with a fault at a moment of it; then the job must end well, if need be requested again, with every record there. */
  async round(fault: string, cause: () => Promise<void>): Promise<void> {
    const kind = this.next;
    const jobId = await this.begin();
    const moment = Math.round(Math.random() * 20_000);
    await sleep(moment);
    await cause();
    const over = performance.now();
    const why = await this.end(jobId);
    let again = 0;
    if (why !== "") {
      again = 1;
      const failed = await this.end(await this.begin());
      expect(failed).toBe("");
    }
    const seconds = Math.round((performance.now() - over) / 1000);
    say(
      `${kind}, ${fault} ${moment / 1000} s after its begin: ended ${seconds} s after the fault; ${why || "well"}`,
    );
    await this.judge(fault, { again, seconds });
    this.next = kind === "reduce" ? "restore" : "reduce";
  }

  /** Compares every record, asks the doctor, and keeps the figures. */
  async judge(
    fault: string,
    { again = 0, seconds = 0 } = {},
    options: NothingLostOptions = {},
  ): Promise<void> {
    const key = `${this.farm.mount} ${fault}`;
    const figures = this.#figures.get(key) ?? { rounds: 0, again: 0, longestS: 0, violations: 0 };
    this.#figures.set(key, figures);
    figures.rounds += 1;
    figures.again += again;
    figures.longestS = Math.max(figures.longestS, seconds);
    try {
      assertNothingLost(this.before as Union, await this.read(), options);
      await this.#assertHealthy();
    } catch (error) {
      figures.violations += 1;
      throw error;
    } finally {
      record("machines", { mount: this.farm.mount, fault, ...figures });
    }
  }

  async #assertHealthy(): Promise<void> {
    const answer = await this.farm
      .host(this.home)
      .ask(`set -a; . /etc/mtjobs.env; set +a; runuser -u megatest -- mtjobs doctor ${this.area} --json`);
    const { checks } = JSON.parse(answer.stdout) as { checks: { name: string; ok: boolean | null }[] };
    expect(checks.length).toBeGreaterThan(10);
    expect(checks.filter(({ ok }) => ok === false)).toEqual([]);
  }
}
