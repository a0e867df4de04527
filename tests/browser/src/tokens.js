// What apps and systems do without a browser: PKCE, signed assertions, and a look at tokens that they get.

import { createHash, createPublicKey, randomBytes, sign, verify } from 'node:crypto'

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

// An authorization request, as a URL, and what proves afterwards who made it.
export function authorization(flint, client, app, scope) {
  const verifier = randomBytes(32).toString('base64url')
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: client.id,
    redirect_uri: app.back,
    scope,
    state: randomBytes(16).toString('base64url'),
    aud: flint.base,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  return { url: `${flint.origin}/auth/authorize?${query}`, verifier, state: query.get('state') }
}

// The form that turns a code into tokens.
export function exchange(code, verifier, app) {
  return { grant_type: 'authorization_code', code, redirect_uri: app.back, code_verifier: verifier }
}

// Shows who a client is by its secret.
export function basic({ id, secret }) {
  return { Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` }
}

// An assertion that a system signs, with claims of its own for the tests of those.
export function assertion(flint, id, key, claims = {}) {
  const now = Math.floor(Date.now() / 1000)
  const own = { iss: id, sub: id, aud: `${flint.origin}/auth/token`, iat: now, exp: now + 240, jti: randomBytes(16).toString('hex') }
  const text = [{ typ: 'JWT', alg: 'ES384', kid: 'k1' }, { ...own, ...claims }].map(encoded).join('.')
  const signature = sign('sha384', text, { key, dsaEncoding: 'ieee-p1363' })
  return `${text}.${signature.toString('base64url')}`
}

// The form by which a system asks for a token: SMART Backend Services.
export function systemRequest(signed, scope) {
  return { grant_type: 'client_credentials', scope, client_assertion_type: ASSERTION_TYPE, client_assertion: signed }
}

// The claims of an ID token whose RS256 signature a key of the set made.
export function idClaims(token, { keys }) {
  const [head, claims, signature] = token.split('.')
  const { kid, alg } = decoded(head)
  if (alg !== 'RS256') throw new Error(`the ID token is signed by ${alg}`)
  const key = createPublicKey({ key: keys.find(one => one.kid === kid), format: 'jwk' })
  if (!verify('sha256', `${head}.${claims}`, key, Buffer.from(signature, 'base64url'))) throw new Error('a wrong signature')
  return decoded(claims)
}

function encoded(value) {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function decoded(text) {
  return JSON.parse(Buffer.from(text, 'base64url'))
}
