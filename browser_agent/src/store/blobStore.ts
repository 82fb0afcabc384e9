// Weights by their sha256, kept across reloads in the Cache API. Cache.put commits whole entries or nothing, and what comes
// out is hashed again, so a damaged entry is fetched anew. When the browser gives no room, old entries go first, then the
// blob lives in memory only. Bytes that do not hash to their name never leave this class.
import { AgentError, Code, describe } from '../protocol/outcome';

const CACHE = 'shoal-blobs-v1';
const PIECE_BYTES = 1024 * 1024;
const FETCHED_AT = 'x-shoal-fetched-at';

export interface BlobName {
  readonly url: string;
  readonly sha256: string;
  readonly byteSize: bigint;
}

export interface Blob {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly fromCache: boolean;
}

// Memory that may move while it is filled: a WASM memory that grows, say. A view is valid until anybody else runs.
export interface Place {
  view(): Uint8Array<ArrayBuffer>;
}

export class BlobStore {
  #cacheBytes: Promise<number> | undefined;
  #lastKnownBytes = 0;

  // The size of the store as of the last change; 0 until it was asked for once.
  get cacheBytes(): number {
    this.#cacheBytes ??= this.#measure();
    return this.#lastKnownBytes;
  }

  async get(blob: BlobName): Promise<Blob> {
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = new Uint8Array(Number(blob.byteSize));
    } catch (error) {
      throw new AgentError(Code.RESOURCE_LIMIT, `no memory for ${blob.byteSize} bytes of weights`, describe(error));
    }
    const { fromCache } = await this.into(blob, { view: () => bytes });
    return { bytes, fromCache };
  }

  // Streams the blob to its place, which has its size, and checks it there. After an error the place holds anything.
  async into(blob: BlobName, place: Place): Promise<{ readonly fromCache: boolean }> {
    const url = new URL(blob.url, location.href);
    if (url.origin !== location.origin)
      throw new AgentError(Code.INVALID_ARGUMENT, `weights come from the page's own origin, not from ${url.origin}`);
    if (!/^[0-9a-f]{64}$/.test(blob.sha256))
      throw new AgentError(Code.INVALID_ARGUMENT, 'sha256 must be 64 lower-case hex digits');
    if (await this.#kept(blob, place)) return { fromCache: true };
    await this.#fetch(url, blob, place);
    // Nobody waits for the store: it may take longer than the download.
    void this.#keep(blob.sha256, place);
    return { fromCache: false };
  }

  async #fetch(url: URL, blob: BlobName, place: Place): Promise<void> {
    try {
      // The store below is the cache: the HTTP cache would keep a second copy.
      const response = await fetch(url, { cache: 'no-store' });
      if (!response.ok)
        throw new AgentError(
          response.status === 404 ? Code.NOT_FOUND : Code.UNAVAILABLE,
          `GET ${url.pathname}: status ${response.status}`,
        );
      await fill(place, response, Number(blob.byteSize));
    } catch (error) {
      if (error instanceof AgentError) throw error;
      throw new AgentError(Code.UNAVAILABLE, `GET ${url.pathname} failed`, describe(error));
    }
    const hash = await sha256(place.view());
    if (hash !== blob.sha256)
      throw new AgentError(Code.INTERNAL, `weights from ${url.pathname} have sha256 ${hash}, not ${blob.sha256}`);
  }

  async #kept({ sha256: hash, byteSize }: BlobName, place: Place): Promise<boolean> {
    try {
      const cache = await caches.open(CACHE);
      const response = await cache.match(key(hash));
      if (response === undefined) return false;
      if (await holds(place, response, Number(byteSize), hash)) return true;
      await cache.delete(key(hash));
    } catch (error) {
      console.warn(`the store cannot be read: ${String(error)}`);
    }
    return false;
  }

  async #keep(hash: string, place: Place): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        const cache = await caches.open(CACHE);
        const headers = { 'content-length': String(place.view().byteLength), [FETCHED_AT]: String(Date.now()) };
        await cache.put(key(hash), new Response(bodyOf(place), { headers }));
        this.#cacheBytes = this.#measure();
        return;
      } catch (error) {
        const isFull = error instanceof DOMException && error.name === 'QuotaExceededError';
        if (!isFull || attempt > 8 || !(await this.#dropOldest())) {
          console.warn(`the store did not keep ${hash}: ${String(error)}`);
          return;
        }
      }
    }
  }

  async #dropOldest(): Promise<boolean> {
    const cache = await caches.open(CACHE);
    let oldest: { readonly request: Request; readonly at: number } | undefined;
    for (const request of await cache.keys()) {
      const at = Number((await cache.match(request))?.headers.get(FETCHED_AT) ?? 0);
      if (oldest === undefined || at < oldest.at) oldest = { request, at };
    }
    return oldest !== undefined && cache.delete(oldest.request);
  }

  async #measure(): Promise<number> {
    try {
      const cache = await caches.open(CACHE);
      let sum = 0;
      for (const response of await cache.matchAll()) sum += Number(response.headers.get('content-length') ?? 0);
      this.#lastKnownBytes = sum;
    } catch {
      this.#lastKnownBytes = 0; // no store here (private mode): nothing is kept
    }
    return this.#lastKnownBytes;
  }
}

const key = (hash: string): string => new URL(`/agent/store/${hash}`, location.href).href;

// Into the place at once, so that the peak is the size of the weights and not twice that.
async function fill(place: Place, response: Response, byteSize: number): Promise<void> {
  const wrong = (got: string): AgentError =>
    new AgentError(Code.INTERNAL, `weights of ${got} bytes, promised were ${byteSize}`);
  if (response.body === null) throw wrong('0');
  let filled = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (filled + value.byteLength > byteSize) {
      await reader.cancel();
      throw wrong(`more than ${byteSize}`);
    }
    place.view().set(value, filled);
    filled += value.byteLength;
  }
  if (filled !== byteSize) throw wrong(String(filled));
}

async function holds(place: Place, response: Response, byteSize: number, hash: string): Promise<boolean> {
  try {
    await fill(place, response, byteSize);
  } catch (error) {
    if (error instanceof AgentError && error.code === Code.INTERNAL) return false;
    throw error;
  }
  return (await sha256(place.view())) === hash;
}

// The bytes of a place in pieces, as they are asked for: no second copy of the whole.
function bodyOf(place: Place): BodyInit {
  const whole = place.view();
  if (whole.byteLength <= PIECE_BYTES) return unshared(whole);
  let offset = 0;
  return new ReadableStream({
    pull(controller) {
      const piece = place.view().slice(offset, offset + PIECE_BYTES);
      if (piece.byteLength === 0) return controller.close();
      offset += piece.byteLength;
      controller.enqueue(piece);
    },
  });
}

// Digests and bodies are not made of memory that threads share.
const unshared = (bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  (bytes.buffer as ArrayBufferLike) instanceof ArrayBuffer ? bytes : bytes.slice();

export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', unshared(bytes)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
