import { expect, test } from "vitest";
import { decodeFailure, encodeFailure } from "../../../shared/contract/failure.ts";
import { JobsError } from "../../../shared/errors.ts";

test("an error crosses Redis whole, and its first line is the message for people", () => {
  const error = new JobsError("conflict", "two\nlines", { hint: "h", details: { a: [1] } });
  expect(encodeFailure(error).startsWith("two\nlines\n")).toBe(true);
  expect(decodeFailure(encodeFailure(error)).toDocument()).toEqual(error.toDocument());
});

test.each(["job stalled more than allowable limit", "", "{}", "x\n[1]"])(
  "the failed reason %j of somebody else becomes an internal error with that text",
  (text) => {
    expect(decodeFailure(text)).toMatchObject({ code: "internal", message: text });
  },
);

test("a code that this version does not know becomes internal", () => {
  expect(decodeFailure('m\n{"code":"from-the-future","message":"m"}')).toMatchObject({
    code: "internal",
    message: "m",
  });
});
