// A flint, an app and a browser, with the people of the surgery: Joan (p1), Peter her husband (p2, who acts for her as rp1), Ada her doctor (dr1).

import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { App } from './app.js'
import { startBrowser } from './browser.js'
import { Flint } from './flint.js'

export const PASSWORD = 'correct horse battery staple'
export const PATIENT_SCOPE = 'launch/patient openid fhirUser offline_access patient/*.rs'

const STAFF_SCOPE = 'launch launch/patient openid fhirUser patient/*.rs user/*.rs'

export async function startWorld() {
  const [flint, app, browser] = await Promise.all([Flint.prepare(), App.start(), startBrowser()])
  const redirect = ['--redirect-uri', app.back]
  const people = [['joan', 'Patient/p1'], ['peter', 'Patient/p2'], ['rose', 'RelatedPerson/rp1'], ['ada', 'Practitioner/dr1']]
  for (const [name, fhirUser] of people) await flint.addUser(name, fhirUser, PASSWORD)

  const keys = { app: newKey(), system: newKey() }
  for (const [name, { publicKey }] of Object.entries(keys)) {
    await writeFile(join(flint.folder, `${name}.jwks`), JSON.stringify({ keys: [publicKey] }))
  }
  const jwks = name => ['--jwks', join(flint.folder, `${name}.jwks`)]
  const clients = {
    plain: await flint.addApp(['--name', 'Breath Well', ...redirect, '--scope', PATIENT_SCOPE]),
    // The app of the organization that Joan's consent names, with its exception for what is sensitive.
    named: await flint.addApp(['--name', 'Sleep Well', ...redirect, '--scope', PATIENT_SCOPE, '--organization', 'Organization/app1']),
    secret: await flint.addApp(['--name', 'Walk Well', ...redirect, '--scope', PATIENT_SCOPE, '--confidential']),
    keyed: await flint.addApp(['--name', 'Eat Well', ...redirect, '--scope', PATIENT_SCOPE, ...jwks('app')]),
    staff: await flint.addApp(['--name', 'Ward Round', ...redirect, '--launch-uri', `${app.origin}/launch`, '--scope', STAFF_SCOPE]),
    system: await flint.addApp(['--name', 'Recall Letters', '--scope', 'system/*.rs', '--purpose', 'TREAT', ...jwks('system')]),
  }
  await flint.serve()
  const settings = (client, more = {}) => ({ iss: flint.base, clientId: client.id, scope: PATIENT_SCOPE, ...more })
  const stop = async () => {
    await browser.close()
    app.stop()
    await flint.stop()
  }
  return { flint, app, browser, keys, clients, settings, stop }
}

// An ES384 key as JWKs, named k1.
function newKey() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const jwk = (key, use) => ({ ...key.export({ format: 'jwk' }), kid: 'k1', alg: 'ES384', key_ops: [use] })
  return { privateKey, publicKey: jwk(publicKey, 'verify'), jwk: jwk(privateKey, 'sign') }
}
