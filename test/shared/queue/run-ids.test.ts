import { describe, expect, it } from "vitest";
import { z } from "zod";
import { parsePayload, reduceSchema } from "../../../shared/contract/payload.ts";

const parse = (id: unknown) => parsePayload("reduce", { v: 1, area: "/a", runId: [id] }).runId;

const whatItIs =
  "reduce: runId.0: an id is a whole number from -2^63 to 2^63 - 1, as a string beyond 2^53 - 1";

describe("the ids of a job's data", () => {
  it.each([
    0,
    -5,
    7,
    "7",
    "0",
    "-5",
    2 ** 53 - 1,
    String(2n ** 53n),
    String(2n ** 63n - 1n),
    String(-(2n ** 63n)),
  ])("may be %j: any integer of 64 bits is taken as a string, a small one as a number too", (id) => {
    expect(parse(id)).toEqual([id]);
  });

  it.each([
    2 ** 53,
    -(2 ** 53),
    1.5,
    Number.NaN,
    null,
    true,
    {},
    "",
    "07",
    "-0",
    "1e3",
    "x",
    String(2n ** 63n),
  ])("are refused by one message, which says what an id is, for %j", (id) => {
    expect(() => parse(id)).toThrow(expect.objectContaining({ code: "bad-payload", message: whatItIs }));
  });

  it("have a pattern and a description in the schema that other programs read", () => {
    const { properties } = z.toJSONSchema(reduceSchema, { io: "input" }) as unknown as {
      properties: { runId: { items: { description: string; anyOf: Record<string, unknown>[] } } };
    };
    const { description, anyOf } = properties.runId.items;
    expect(description).toBe("an id is a whole number from -2^63 to 2^63 - 1, as a string beyond 2^53 - 1");
    expect(anyOf.map(({ type }) => type)).toEqual(["integer", "string"]);
    expect(anyOf[1]?.pattern).toBe("^(0|-?[1-9]\\d{0,18})$");
  });
});
