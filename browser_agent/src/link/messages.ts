// What the page and the link worker say to each other.
import type { Backend } from '../engine/messages';

export interface Start {
  readonly kind: 'start';
  readonly slot: string;
  readonly token: string;
  readonly backends: readonly Backend[];
}

export type ToLink = Start | { readonly kind: 'beat' } | { readonly kind: 'leave'; readonly reason: string };

export interface Status {
  readonly kind: 'status';
  readonly state: 'probing' | 'connecting' | 'connected';
  readonly workerId: string;
  readonly works: number;
}

export type FromLink = Status | { readonly kind: 'closed'; readonly code: number; readonly reason: string };
