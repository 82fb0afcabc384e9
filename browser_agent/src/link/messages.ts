// What the page and the link worker say to each other.
import type { Backend } from '../engine/messages';

export interface Start {
  readonly kind: 'start';
  readonly slot: string;
  readonly token: string;
  readonly backends: readonly Backend[];
  // Of devices that joined: what an earlier welcome gave.
  readonly deviceKey?: string;
}

// Of devices that joined: `share` of the time an engine may work, 0 to 1.
export type ToLink =
  | Start
  | { readonly kind: 'beat' }
  | { readonly kind: 'leave'; readonly reason: string }
  | { readonly kind: 'pause'; readonly reason: string }
  | { readonly kind: 'resume' }
  | { readonly kind: 'share'; readonly share: number };

export interface Status {
  readonly kind: 'status';
  readonly state: 'probing' | 'connecting' | 'connected';
  readonly workerId: string;
  readonly works: number;
  readonly runs: number;
  readonly memoryBytes: number;
}

// What the probes found, for people.
export interface Probed {
  readonly kind: 'probed';
  readonly backends: readonly { readonly backend: Backend; readonly whyNot: string }[];
  readonly isSoftwareGpu: boolean;
  readonly hasThreads: boolean;
}

export interface Welcomed {
  readonly kind: 'welcomed';
  readonly deviceKey: string;
  readonly tier: string;
}

export type FromLink =
  Status | Probed | Welcomed | { readonly kind: 'closed'; readonly code: number; readonly reason: string };
