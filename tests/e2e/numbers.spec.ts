import { bytes, count, scientific } from "../../www/src/format.ts";
import { greatestDifference, rmsNorm } from "../../www/src/rms-norm.ts";
import { expect, test } from "./test.ts";

test("bytes are written in the largest binary unit that leaves at least one", () => {
  expect([0, 1023, 1024, 1536, 128 * 2 ** 20, 2 ** 31 - 4].map(bytes)).toEqual([
    "0 B",
    "1,023 B",
    "1 KiB",
    "1.5 KiB",
    "128 MiB",
    "2 GiB",
  ]);
});

test("counts and small numbers are written as people write them", () => {
  expect(count(65_535)).toBe("65,535");
  expect([0, 1.23e-7, 4.96e-10, 12].map(scientific)).toEqual(["0", "1.2 × 10⁻⁷", "5.0 × 10⁻¹⁰", "1.2 × 10¹"]);
});

test("a result that is too short or not a number never passes for a small difference", () => {
  expect(greatestDifference([1, 2], [1, 2.5])).toBe(0.5);
  expect(greatestDifference([1], [1, 2])).toBeNaN();
  expect(greatestDifference([1, Number.NaN, 3], [1, 2, 3])).toBeNaN();
});

test("the page's own normalisation is right, or the comparison beside it means nothing", () => {
  const input = new Float32Array([3, 4, 0, 0]);
  const output = rmsNorm({ rows: 1, width: 4, input, weight: new Float32Array([1, 2, 3, 4]) }, 0);
  const expected = [1.2, 3.2, 0, 0];
  expect(output).toHaveLength(expected.length);
  output.forEach((value, index) => expect(value).toBeCloseTo(expected[index] ?? Number.NaN, 12));
});
