import * as z from "zod";

/** An object to which later versions may add members. */
export function openObject<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.object(shape).meta({ additionalProperties: true });
}

/** A string with known values, to which later versions may add some. */
export function openEnum<Value extends string>() {
  return z.string() as unknown as z.ZodType<Value>;
}
