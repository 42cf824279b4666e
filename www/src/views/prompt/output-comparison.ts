/** Comparison of an output with the reference's. */
export interface Comparison {
  /** Tokens that both begin with. */
  readonly sameTokens: number;
  /** Characters that both begin with. */
  readonly sameCharacters: number;
  /** The share of the shorter output's tokens that come before the first difference, 0 to 1. */
  readonly agreement: number;
  /** True once a difference has been met. */
  readonly differs: boolean;
}

/**
 * Compares two outputs, each the texts of its tokens, as far as both have come. After the first
 * difference the texts are about different things: later coincidences would say nothing.
 */
export function compare(pieces: readonly string[], reference: readonly string[]): Comparison {
  const length = Math.min(pieces.length, reference.length);
  let sameTokens = 0;
  let sameCharacters = 0;
  while (sameTokens < length && pieces[sameTokens] === reference[sameTokens]) {
    sameCharacters += pieces[sameTokens]?.length ?? 0;
    sameTokens += 1;
  }
  return {
    sameTokens,
    sameCharacters,
    agreement: length === 0 ? 1 : sameTokens / length,
    differs: sameTokens < length,
  };
}
