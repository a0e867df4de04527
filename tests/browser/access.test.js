// People let apps see their record, and stop them: SMART App Launch with a public client library in a real browser.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { choose, look, open, press, signIn } from './src/browser.js'
import { assertion, authorization, basic, exchange, idClaims, systemRequest } from './src/tokens.js'
import { PASSWORD, PATIENT_SCOPE, startWorld } from './src/world.js'

let world
before(async () => { world = await startWorld() })
after(() => world?.stop())

// Somebody opens an app in a browser of their own and signs in; the pages after that are theirs.
async function begin(name, settings) {
  const page = await open(world.browser)
  await world.app.launch(page, settings)
  await signIn(page, name, PASSWORD)
  return page
}

// The answer to a request of the app in the page: what came, or the error's text.
function ask(page, path) {
  return page.evaluate(path => globalThis.client.request(path).catch(error => String(error)), path)
}

// The ids of what was found, without what the server tells of the search.
function ids(bundle) {
  const found = (bundle.entry ?? []).filter(entry => entry.search.mode === 'match')
  return found.map(entry => entry.resource.id)
}

test('a patient lets an app read her record, and stops it', async () => {
  const { app, clients, flint, settings } = world
  const page = await open(world.browser)
  await app.launch(page, settings(clients.plain))
  await look(page, 'sign-in')
  await signIn(page, 'joan', PASSWORD)
  await page.getByRole('heading', { name: 'May Breath Well use your record, Joan Hartley?' }).waitFor()
  await look(page, 'consent')
  await press(page, 'Allow')

  const { response, user } = await app.told(page)
  assert.equal(response.patient, 'p1')
  assert.equal(user, 'Patient/p1')
  const claims = idClaims(response.id_token, await (await fetch(`${flint.origin}/auth/jwks`)).json())
  assert.equal(claims.iss, `${flint.origin}/auth`)
  assert.equal(claims.aud, clients.plain.id)
  assert.equal(claims.fhirUser, `${flint.base}/Patient/p1`)

  const patient = await page.evaluate(() => globalThis.client.patient.read())
  assert.equal(patient.name[0].family, 'Hartley')
  assert.deepEqual(ids(await ask(page, 'Condition?patient=p1')).sort(), ['copd1', 'sens1'])
  assert.equal((await page.evaluate(() => globalThis.client.user.read())).id, 'p1')
  assert.match(await ask(page, 'Patient/p2'), /404/)
  const written = await ask(page, 'Consent?status=active&_sort=-_lastUpdated&_count=1')
  assert.equal(written.entry[0].resource.provision.actor[0].reference.display, 'Breath Well')

  const first = response.access_token
  const refreshed = await page.evaluate(() => globalThis.client.refresh().then(state => state.tokenResponse))
  assert.notEqual(refreshed.access_token, first)
  assert.notEqual(refreshed.refresh_token, response.refresh_token)
  assert.deepEqual(ids(await ask(page, 'Condition?patient=p1')).sort(), ['copd1', 'sens1'])

  const own = await page.context().newPage()
  await own.goto(`${flint.origin}/auth/manage`)
  await look(own, 'manage')
  await press(own, 'Stop Breath Well')
  await own.getByRole('status').filter({ hasText: 'Breath Well was stopped.' }).waitFor()
  await look(own, 'manage-stopped')
  for (const token of [first, refreshed.access_token]) assert.equal((await flint.get('/Patient/p1', token)).status, 401)
  assert.match(await ask(page, 'Patient/p1'), /401|expired/)
  await page.context().close()
})

test('an app sees what the consent for its organization permits', async () => {
  const page = await begin('joan', world.settings(world.clients.named))
  await look(page, 'consent-shared')
  await press(page, 'Allow')
  await world.app.told(page)
  assert.deepEqual(ids(await ask(page, 'Condition?patient=p1')), ['copd1'])
  assert.match(await ask(page, 'Condition/sens1'), /404/)
  await page.context().close()
})

test('a patient refuses', async () => {
  const page = await begin('joan', world.settings(world.clients.plain))
  await press(page, 'Do not allow')
  const { error, query } = await world.app.told(page)
  assert.equal(query.error, 'access_denied')
  assert.match(error, /the person did not allow it/)
  await page.context().close()
})

test('a patient grants less than is asked for', async () => {
  const page = await begin('joan', world.settings(world.clients.plain, { scope: 'launch/patient patient/Patient.rs patient/Condition.rs' }))
  await page.getByLabel('See health conditions').uncheck()
  await press(page, 'Allow')
  const { response } = await world.app.told(page)
  assert.equal(response.scope, 'launch/patient patient/Patient.rs')
  assert.equal((await ask(page, 'Patient/p1')).id, 'p1')
  assert.match(await ask(page, 'Condition?patient=p1'), /403/)
  await page.context().close()
})

test('a husband chooses between his record and hers', async () => {
  const page = await begin('peter', world.settings(world.clients.plain))
  await page.getByRole('heading', { name: 'Whose record may Breath Well use?' }).waitFor()
  await look(page, 'patient')
  await press(page, 'Continue')
  await page.getByText('There is a problem').waitFor()
  await look(page, 'patient-problem')
  await choose(page, /Joan Hartley/)
  await look(page, 'consent-proxy')
  await press(page, 'Allow')
  const { response, user } = await world.app.told(page)
  assert.deepEqual([response.patient, user], ['p1', 'RelatedPerson/rp1'])
  assert.deepEqual(ids(await ask(page, 'Condition?patient=p1')).sort(), ['copd1', 'sens1'])
  await page.context().close()
})

test('an account of a related person opens the one record', async () => {
  const page = await begin('rose', world.settings(world.clients.plain))
  await page.getByRole('heading', { name: 'May Breath Well use the record of Joan Hartley?' }).waitFor()
  await press(page, 'Allow')
  const { response, user } = await world.app.told(page)
  assert.deepEqual([response.patient, user], ['p1', 'RelatedPerson/rp1'])
  assert.equal((await page.evaluate(() => globalThis.client.patient.read())).id, 'p1')
  await page.context().close()
})

test('a doctor looks for a patient, and opens another app with the same', async () => {
  const { app, clients, flint, settings } = world
  const scope = 'launch/patient openid fhirUser patient/*.rs user/*.rs'
  const page = await begin('ada', settings(clients.staff, { scope }))
  await look(page, 'search')
  await page.getByLabel('Family name').fill('Hartley')
  await press(page, 'Search')
  await page.getByRole('link', { name: /date of birth/ }).click()
  assert.ok(await page.getByLabel('Date of birth').evaluate(field => field.matches(':focus, :target') && field.ariaInvalid === 'true'))
  await look(page, 'search-problem')
  await page.getByLabel('NHS number').fill('900 000 0009')
  await press(page, 'Search')
  await page.getByText('1 patient was found').waitFor()
  await look(page, 'search-found')
  await press(page, 'Continue')
  await look(page, 'consent-staff')
  await press(page, 'Allow')
  const { response, user } = await app.told(page)
  assert.deepEqual([response.patient, user], ['p1', 'Practitioner/dr1'])
  assert.equal((await ask(page, 'Patient/p2')).id, 'p2')

  const launched = await fetch(`${flint.origin}/auth/launch`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${response.access_token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ client_id: clients.staff.id, patient: 'p3', need_patient_banner: false }),
  })
  assert.equal(launched.status, 200)
  const { url } = await launched.json()
  const ehr = new URL(url)
  ehr.searchParams.set('settings', JSON.stringify({ clientId: clients.staff.id, scope: 'launch openid fhirUser patient/*.rs' }))
  await page.goto(ehr.href)
  await page.getByRole('heading', { name: 'May Ward Round use the record of Omar Nasser?' }).waitFor()
  await press(page, 'Allow')
  const opened = await app.told(page)
  assert.deepEqual([opened.response.patient, opened.response.need_patient_banner], ['p3', false])
  assert.equal((await page.evaluate(() => globalThis.client.patient.read())).name[0].family, 'Nasser')
  await page.goto(ehr.href)
  assert.equal((await app.told(page)).query.error, 'invalid_request')
  await page.context().close()
})

test('pages need no script', async () => {
  const { app, clients, flint } = world
  const request = authorization(flint, clients.secret, app, PATIENT_SCOPE)
  const page = await open(world.browser, { javaScriptEnabled: false })
  await page.goto(request.url)
  await signIn(page, 'peter', PASSWORD)
  await choose(page, /Peter Hartley/)
  await press(page, 'Allow')
  await page.waitForURL(url => url.href.startsWith(app.back))
  const back = new URL(page.url()).searchParams
  assert.equal(back.get('state'), request.state)
  assert.equal(back.get('iss'), `${flint.origin}/auth`)
  const form = exchange(back.get('code'), request.verifier, app)
  assert.equal((await flint.post('/auth/token', { ...form, client_id: clients.secret.id })).json.error, 'invalid_client')
  const { status, json } = await flint.post('/auth/token', form, basic(clients.secret))
  assert.deepEqual([status, json.patient], [200, 'p2'])
  assert.equal((await flint.get('/Patient/p2', json.access_token)).json.name[0].given[0], 'Peter')
  const told = await flint.post('/auth/introspect', { token: json.access_token }, basic(clients.secret))
  assert.equal(told.json.active, true)
  await flint.post('/auth/revoke', { token: json.refresh_token }, basic(clients.secret))
  assert.equal((await flint.get('/Patient/p2', json.access_token)).status, 401)
  await page.context().close()
})

test('an app with keys signs for itself in the browser', async () => {
  const { app, clients, keys, settings } = world
  const page = await begin('joan', settings(clients.keyed, { clientPrivateJwk: keys.app.jwk }))
  await press(page, 'Allow')
  assert.equal((await app.told(page)).response.patient, 'p1')
  assert.equal((await page.evaluate(() => globalThis.client.patient.read())).id, 'p1')
  await page.context().close()
})

test('a system gets a token by an assertion, once', async () => {
  const { clients, flint, keys } = world
  const signed = assertion(flint, clients.system.id, keys.system.privateKey)
  const { status, json } = await flint.post('/auth/token', systemRequest(signed, 'system/*.rs'))
  assert.equal(status, 200, JSON.stringify(json))
  assert.ok(json.expires_in <= 300)
  assert.equal((await flint.get('/Condition?patient=p1&_summary=count', json.access_token)).json.total, 2)
  const ask = async (signed, scope = 'system/*.rs') => (await flint.post('/auth/token', systemRequest(signed, scope))).json
  const refused = async signed => (await ask(signed)).error
  assert.equal(await refused(signed), 'invalid_client')
  const wrong = (claims, key = keys.system) => assertion(flint, clients.system.id, key.privateKey, claims)
  assert.equal(await refused(wrong({}, keys.app)), 'invalid_client')
  assert.equal(await refused(wrong({ exp: 1 })), 'invalid_client')
  assert.equal(await refused(wrong({ aud: 'https://elsewhere.example/token' })), 'invalid_client')
  assert.equal((await ask(wrong(), 'system/*.cruds')).scope, 'system/*.rs')
  assert.equal((await ask(wrong(), 'user/*.rs')).error, 'invalid_scope')
})

test('forms that cannot be read are refused as OAuth says', async () => {
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
  for (const body of ['', 'grant_type=%ff', 'grant_type=%', 'grant_type=a&grant_type=b', 'grant_type=a%00b']) {
    const response = await fetch(`${world.flint.origin}/auth/token`, { method: 'POST', headers, body })
    assert.equal(response.status, 400, body)
    assert.match((await response.json()).error, /^(invalid_request|unsupported_grant_type)$/, body)
  }
})

test('wrong passwords are refused, and then no more are tried', async () => {
  const { flint } = world
  const page = await open(world.browser)
  await page.goto(`${flint.origin}/auth/manage`)
  for (let attempt = 0; attempt < 5; attempt += 1) {
    await signIn(page, 'nobody', 'wrong')
    await page.getByRole('alert').filter({ hasText: 'The user name or the password is wrong' }).waitFor()
  }
  await look(page, 'sign-in-problem')
  await signIn(page, 'nobody', 'wrong')
  await page.getByRole('alert').filter({ hasText: 'Try again in 1 minute' }).waitFor()
  await look(page, 'sign-in-locked')
  await page.context().close()
})

test('an app that is not known gets nobody back', async () => {
  const { app, clients, flint } = world
  const page = await open(world.browser)
  const request = authorization(flint, { id: 'unknown' }, app, PATIENT_SCOPE)
  assert.equal((await page.goto(request.url)).status(), 400)
  await look(page, 'unknown-app')
  const elsewhere = authorization(flint, clients.plain, { back: `${app.back}/` }, PATIENT_SCOPE)
  assert.equal((await page.goto(elsewhere.url)).status(), 400)
  await look(page, 'unknown-address')
  await page.goto(`${flint.origin}/auth/sign-in`)
  await signIn(page, 'joan', PASSWORD)
  await press(page, 'Sign out')
  await look(page, 'signed-out')
  await page.context().close()
})
