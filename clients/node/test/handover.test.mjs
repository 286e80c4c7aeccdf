import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { Handover } from '../gapless-handover.mjs'
import { Folder, pause, until } from './folder.mjs'

const CLIENT = fileURLToPath(new URL('../gapless-handover.mjs', import.meta.url))
let folder
beforeEach(() => (folder = new Folder()))
afterEach(() => folder.remove())

const ONCE = { once: 'at-least-once' }
const never = new Promise(() => {})

test('a program that runs alone handles everything at once', async () => {
  const alone = await Handover.fromEnvironment([], { variables: {} }).open()
  const seen = []
  assert.equal(await alone.offer('e1', 'hello', (event) => seen.push(event), ONCE), 'handled')
  assert.deepEqual(seen, ['hello'])
  assert.equal(alone.status().lock, false)
  await alone.close()
})

test('connected is not alive', async () => {
  folder.state('done', 1)
  const copy = await folder.copy(1, {}, ['shard-0'])
  copy.unit('shard-0').connected()
  assert.equal((await folder.ask(1, 'GET', '/readyz')).status, 503)
  assert.equal(copy.state, 'BOOTING')
  copy.unit('shard-0').beat()
  await until(() => copy.state === 'ACTIVE')
  assert.equal((await folder.ask(1, 'GET', '/readyz')).status, 200)
  assert.throws(() => copy.unit('shard-9'), /shard-0/)
})

test('an event has one effect, whichever copies get it', async () => {
  const [old, young] = await folder.pair()
  const effects = []
  const handle = (who) => (event) => effects.push(`${event} by ${who}`)
  assert.equal(await old.offer('e1', 'e1', handle('old'), ONCE), 'handled')
  assert.equal(await young.offer('e1', 'e1', handle('young'), ONCE), 'kept')
  assert.equal(await young.offer('e2', 'e2', handle('young'), ONCE), 'kept')
  folder.state('joint', 1, 2)
  const answer = await folder.ask(2, 'POST', '/activate?epoch=2')
  assert.equal(answer.status, 200)
  assert.equal(answer.body.buffered, 0)
  await until(() => effects.length === 2)
  assert.deepEqual(effects, ['e1 by old', 'e2 by young'])
  assert.equal(young.status().claims_lost, 1)
})

test('what is read late is claimed though the lock is off', async () => {
  const [old, young] = await folder.pair()
  const effects = []
  const handle = (event) => effects.push(event)
  assert.equal(await old.offer('e1', 'e1', handle, ONCE), 'handled')
  folder.state('joint', 1, 2)
  await folder.ask(2, 'POST', '/activate?epoch=2')
  folder.state('done', 2, null, false)
  const answer = await folder.ask(2, 'POST', '/lock?on=false&epoch=2')
  assert.equal(answer.body.lock, false)
  assert.equal(await young.offer('e1', 'e1', handle, ONCE), 'left')
  assert.equal(await young.offer('e2', 'e2', handle, ONCE), 'handled')
  assert.deepEqual(effects, ['e1', 'e2'])
})

test('a standby that is told to end offers what it kept', async () => {
  const [old, young] = await folder.pair()
  const effects = []
  const handle = (who) => (event) => effects.push(`${event} by ${who}`)
  await young.offer('e1', 'e1', handle('young'), ONCE)
  await young.offer('e2', 'e2', handle('young'), ONCE)
  young.end()
  assert.equal(young.state, 'DRAINING')
  assert.equal((await folder.ask(2, 'POST', '/abort?epoch=2')).status, 409)
  await young.offer('e3', 'e3', handle('young'), ONCE)
  assert.equal(await old.offer('e2', 'e2', handle('old'), ONCE), 'handled')
  const left = await young.drained()
  assert.deepEqual(left.events, [])
  assert.deepEqual(effects, ['e2 by old', 'e1 by young'])
})

test('with the lock off a standby just ends', async () => {
  const [, young] = await folder.pair()
  await young.offer('e1', 'e1', () => assert.fail('nobody claimed it'), ONCE)
  folder.state('done', 1, null, false)
  young.end()
  await young.drained()
})

test('what was being offered is offered by a copy that drains', async () => {
  const [, young] = await folder.pair()
  const effects = []
  for (let number = 0; number < 100; number += 1) {
    await young.offer(`e${number}`, number, (event) => effects.push(event), ONCE)
  }
  folder.state('joint', 1, 2)
  const activated = folder.ask(2, 'POST', '/activate?epoch=2')
  await until(() => young.state === 'ACTIVE')
  young.end()
  await young.offer('late', 'late', (event) => effects.push(event), ONCE)
  await young.drained()
  await activated
  assert.deepEqual(effects, [...Array(100).keys()])
})

test('a pending claim of the dead is claimed again', async () => {
  const [old, young] = await folder.pair()
  const effects = []
  old.offer('e1', 'e1', () => never, ONCE)
  await until(() => old.status().claims_won === 1)
  folder.state('joint', 1, 2)
  await folder.ask(2, 'POST', '/activate?epoch=2')
  assert.equal(await young.offer('e1', 'e1', (event) => effects.push(event), ONCE), 'left')
  assert.equal(young.status().inflight, 1)
  assert.deepEqual(effects, [])
  await old.close()
  await until(() => effects.length === 1)
  await until(() => young.status().inflight === 0)
})

test('at most once is never claimed again', async () => {
  const [old, young] = await folder.pair()
  old.offer('e1', 'e1', () => never, { once: 'at-most-once' })
  await until(() => old.status().claims_won === 1)
  folder.state('joint', 1, 2)
  await folder.ask(2, 'POST', '/activate?epoch=2')
  await old.close()
  assert.equal(await young.offer('e1', 'e1', assert.fail, { once: 'at-most-once' }), 'left')
  assert.equal(young.status().claims_lost, 1)
})

test('the handler gets the key it must hand on', async () => {
  folder.state('done', 1)
  const copy = await folder.copy(1)
  await until(() => copy.state === 'ACTIVE')
  let given
  const handle = (event, key) => (given = [event, key])
  await copy.offer(17, 'hello', handle, { once: 'idempotent-key' })
  assert.deepEqual(given, ['hello', '17'])
  await assert.rejects(copy.offer('e2', 'x', () => {}, { once: 'exactly-once' }), /at-most-once/)
  await assert.rejects(copy.offer('', 'x', () => {}, ONCE), /names no event/)
})

test('a handler that throws has handled its event', async () => {
  folder.state('done', 1)
  const copy = await folder.copy(1)
  await until(() => copy.state === 'ACTIVE')
  const failing = async () => {
    throw new Error('no such channel')
  }
  await assert.rejects(copy.offer('e1', 'e1', failing, ONCE), /no such channel/)
  assert.equal(await copy.offer('e1', 'e1', assert.fail, ONCE), 'left')
  assert.equal(copy.status().handled, 1)
  assert.equal(copy.status().inflight, 0)
})

test('draining waits for follow-ups, and says what it leaves at the deadline', async () => {
  folder.state('done', 1)
  const copy = await folder.copy(1)
  await until(() => copy.state === 'ACTIVE')
  const end = copy.followUp()
  await folder.ask(1, 'POST', '/deactivate?epoch=1&deadline=60000')
  let over = false
  const left = copy.drained().then((said) => ((over = true), said))
  assert.equal((await folder.ask(1, 'GET', '/handover')).body.followups, 1)
  // it looks every 20 ms
  await pause(200)
  assert.equal(over, false)
  end()
  end()
  assert.deepEqual(await left, { events: [], followups: 0 })
})

test('an error of the lock is neither won nor lost', async () => {
  for (const [policy, outcome] of [['closed', 'dropped'], ['open', 'handled']]) {
    folder.state('done', 1)
    const copy = await folder.copy(1, { HANDOVER_LOCK_FAIL: policy })
    await until(() => copy.state === 'ACTIVE')
    fs.rmSync(path.join(folder.path, 'claims'), { recursive: true, force: true })
    fs.writeFileSync(path.join(folder.path, 'claims'), 'no folder')
    assert.equal(await copy.offer('e1', 'e1', () => {}, ONCE), outcome)
    const status = copy.status()
    assert.deepEqual([status.lock_errors, status.claims_lost, status[`failed_${policy}`]], [1, 0, 1])
    assert.match(status.problems.join(), /the lock does not answer/)
    fs.rmSync(path.join(folder.path, 'claims'))
    assert.equal(await copy.offer('e2', 'e2', () => {}, ONCE), 'handled')
    assert.deepEqual(copy.status().problems, [])
    await copy.close()
  }
})

test('state.json that says nothing is as good as none, and is reported', async () => {
  for (const text of ['{', '[]', '{"protocol": "handover/2"}', '{"protocol": "handover/1", "phase": "lunch"}']) {
    fs.writeFileSync(path.join(folder.path, 'state.json'), text)
    const copy = await folder.copy(1)
    assert.equal(copy.status().problems.length, 1, text)
    await until(() => copy.state === 'ACTIVE')
    await copy.close()
  }
})

test('old claims are swept away', async () => {
  folder.state('done', 1)
  const copy = await folder.copy(1)
  await until(() => copy.state === 'ACTIVE')
  await copy.offer('e1', 'e1', () => {}, ONCE)
  const claims = () => fs.readdirSync(path.join(folder.path, 'claims'), { recursive: true })
  const files = claims().filter((name) => name.includes('e1'))
  const old = new Date(Date.now() - 3_600_000)
  assert.equal(files.length, 2)
  for (const name of files) fs.utimesSync(path.join(folder.path, 'claims', name), old, old)
  await until(() => !claims().some((name) => name.includes('e1')))
})

/** Of a program that opens a handover with these variables. */
function ended(variables, words = '') {
  const program = `import { Handover } from ${JSON.stringify(CLIENT)}
    await Handover.fromEnvironment([], ${words || '{}'}).open()
    process.exit(0)`
  const ran = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    env: { PATH: process.env.PATH, ...variables },
    encoding: 'utf8',
  })
  return { status: ran.status, said: ran.stderr }
}

test('a variable that holds what is none ends the program, and secrets are not told', () => {
  const usual = { HANDOVER_DIR: folder.path, HANDOVER_ID: 'bot-1' }
  const lock = { HANDOVER_LOCK: 'postgresql://me:secret@host/db' }
  const found = ended({ ...usual, ...lock })
  assert.equal(found.status, 78)
  assert.match(found.said, /HANDOVER_LOCK/)
  assert.doesNotMatch(found.said, /secret/)
  const broken = ended({ ...usual, PATH: '/nonexistent', HANDOVER_LOCK: 'none' })
  assert.equal(broken.status, 78)
  assert.match(broken.said, /flock/)
})

test('a copy that is obsolete ends with 75', () => {
  folder.state('done', 2)
  const usual = { HANDOVER_DIR: folder.path, HANDOVER_ID: 'bot-1', HANDOVER_EPOCH: '1', HANDOVER_LOCK: 'none' }
  assert.equal(ended(usual).status, 75)
})
