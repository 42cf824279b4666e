/** The matrix that the page normalises: `input` is `[rows, width]`, `weight` `[width]`. */
export interface Problem {
  readonly rows: number;
  readonly width: number;
  readonly input: Float32Array;
  readonly weight: Float32Array;
}

/** New random numbers: inputs within ±2, weights from 0.5 to 1.5. */
export function randomProblem(rows: number, width: number): Problem {
  return {
    rows,
    width,
    input: Float32Array.from({ length: rows * width }, () => 4 * Math.random() - 2),
    weight: Float32Array.from({ length: width }, () => 0.5 + Math.random()),
  };
}

/** Root mean square normalisation of each row, in double precision: what the GPU's result is held against. */
export function rmsNorm({ rows, width, input, weight }: Problem, epsilon: number): Float64Array {
  const output = new Float64Array(rows * width);
  for (let start = 0; start < output.length; start += width) {
    const row = input.subarray(start, start + width);
    const meanSquare = row.reduce((sum, x) => sum + x * x, 0) / width;
    const scale = 1 / Math.sqrt(meanSquare + epsilon);
    row.forEach((x, column) => {
      output[start + column] = x * scale * (weight[column] ?? 0);
    });
  }
  return output;
}

/** The greatest absolute difference of two results; NaN where their lengths differ or either holds one. */
export function greatestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) {
    return Number.NaN;
  }
  return Array.from(a).reduce((greatest, x, index) => Math.max(greatest, Math.abs(x - (b[index] ?? Number.NaN))), 0);
}
