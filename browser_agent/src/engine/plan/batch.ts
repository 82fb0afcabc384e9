// The padded batch of an encoder's run as packed rows, and packed outputs as a padded batch again. Padding changes nothing:
// a token counts where the mask is not 0, wherever that is. Pure.
import { AgentError, Code } from '../../protocol/outcome';
import type { Step } from './session';

// Numbers [batch, tokens].
export interface Grid {
  readonly batch: number;
  readonly tokens: number;
  readonly data: Int32Array;
}

export interface Batch {
  readonly batch: number;
  readonly tokens: number;
  readonly steps: readonly BatchStep[];
}

export interface BatchStep extends Step {
  // Rows of the batch, and cells (row * tokens + column) of the tokens, in the order of the step.
  readonly batchRows: readonly number[];
  readonly cells: readonly number[];
}

export interface BatchLimits {
  readonly rows: number;
  readonly tokens: number;
}

// As many steps as the limits need, rows in order. A row whose mask is all 0 has no part in any: its outputs are zeros.
export function batchOf(ids: Grid, mask: Grid | undefined, tokenTypes: Grid | undefined, limits: BatchLimits): Batch {
  for (const [name, grid] of [['attention_mask', mask] as const, ['token_type_ids', tokenTypes] as const]) {
    if (grid !== undefined && (grid.batch !== ids.batch || grid.tokens !== ids.tokens)) {
      throw new AgentError(
        Code.INVALID_ARGUMENT,
        `input '${name}' is [${grid.batch}, ${grid.tokens}], 'input_ids' is [${ids.batch}, ${ids.tokens}]`,
      );
    }
  }
  const steps: BatchStep[] = [];
  let open: { row: number; cells: number[] }[] = [];
  let openTokens = 0;
  const close = (): void => {
    if (open.length > 0) steps.push(stepOf(open, ids, tokenTypes));
    open = [];
    openTokens = 0;
  };
  for (let row = 0; row < ids.batch; row++) {
    const cells: number[] = [];
    for (let cell = row * ids.tokens; cell < (row + 1) * ids.tokens; cell++)
      if (mask === undefined || mask.data[cell] !== 0) cells.push(cell);
    if (cells.length > limits.tokens) {
      throw new AgentError(
        Code.CONTEXT_LENGTH_EXCEEDED,
        `row ${row} has ${cells.length} tokens, the model is loaded for at most ${limits.tokens}`,
      );
    }
    if (cells.length === 0) continue;
    if (open.length === limits.rows || openTokens + cells.length > limits.tokens) close();
    open.push({ row, cells });
    openTokens += cells.length;
  }
  close();
  return { batch: ids.batch, tokens: ids.tokens, steps };
}

function stepOf(
  rows: readonly { readonly row: number; readonly cells: readonly number[] }[],
  ids: Grid,
  tokenTypes: Grid | undefined,
): BatchStep {
  const cells = rows.flatMap((one) => one.cells);
  const taken = (grid: Grid): Int32Array => Int32Array.from(cells, (cell) => grid.data[cell]!);
  return {
    batchRows: rows.map(({ row }) => row),
    cells,
    rows: rows.map((one, slot) => ({
      tokenCount: one.cells.length,
      slot,
      past: 0,
      memoryLength: 0,
      wantsEveryOutput: true,
    })),
    tokens: taken(ids),
    tokenTypes: tokenTypes === undefined ? undefined : taken(tokenTypes),
  };
}
