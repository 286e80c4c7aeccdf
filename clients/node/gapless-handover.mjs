// handover/1 for Node.js programs: two copies change places without losing or doubling an event.
// One file, no dependencies, Node.js 18 or newer, Linux with flock(1) of util-linux.
//
//   const handover = await Handover.fromEnvironment(['shard-0']).open()
//   ...connect; then for every event that comes:
//   await handover.offer(message.id, message, answer, { once: 'idempotent-key', unit: 'shard-0' })
//   ...
//   await handover.drained()
//   await handover.close()
//
// Node.js cannot flock by itself, and a native build is what nobody wants. A lock belongs to the open
// file, not to the process: flock(1) is given our descriptor, locks it and ends, and the lock is ours
// until we close it or die.

import { spawn, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import net from 'node:net'
import path from 'node:path'

const PROTOCOL = 'handover/1'
const OBSOLETE = 75
const MISCONFIGURED = 78
const LEVELS = ['at-most-once', 'at-least-once', 'idempotent-key']
const MOST_KEPT = 100_000
/** Seconds for which a copy goes on claiming when the lock was turned off: so late it may read an event
 * on a machine that has no time for it. */
const LATE = 1
const LOOK_MS = 20

const now = () => performance.now() / 1000
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const say = (words) => fs.writeSync(2, `handover: ${words}\n`)

// ---------------------------------------------------------------------------------- endings

/** Before anything is connected there is nothing to clean up. */
function badVariable(name, value, why) {
  say(`${name}${value ? `=${value}` : ''}: ${why}`)
  process.exit(MISCONFIGURED)
}

function endObsolete(id, epoch, latest) {
  say(`${id} is of epoch ${epoch}, and epoch ${latest} was given out since: obsolete`)
  process.exit(OBSOLETE)
}

/** Neither won nor lost. */
class NoAnswer extends Error {}
/** Somebody else is at it: the same may be asked again at once. */
class Busy extends Error {}
class WrongState extends Error {}
class ObsoleteEpoch extends Error {}
class Nonsense extends Error {}

// ------------------------------------------------------------------------------ environment

/** What the variables say; they survive restarts, so they are hints alone. */
function environmentOf(variables, lock) {
  const text = (key, pattern, must) => {
    const value = variables[`HANDOVER_${key}`] ?? ''
    if (value && pattern && !pattern.test(value)) badVariable(`HANDOVER_${key}`, value, `must be ${must}`)
    return value
  }
  const choice = (key, ...known) => {
    const value = text(key) || known[0]
    if (!known.includes(value)) badVariable(`HANDOVER_${key}`, value, `must be ${known.join(' or ')}`)
    return value
  }
  const integer = (key) => {
    const value = text(key, /^[0-9]{1,15}$/, 'an integer that is not negative')
    return value ? Number(value) : null
  }
  const seconds = (key, otherwise) => {
    const value = text(key, /^[0-9]{1,9}(\.[0-9]{1,9})?$/, 'seconds, such as 10 or 0.5')
    return value ? Number(value) : otherwise
  }
  choice('PROTOCOL', PROTOCOL)
  const folder = text('DIR')
  if (folder && !fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    badVariable('HANDOVER_DIR', folder, 'is no folder that can be seen from here')
  }
  const id = text('ID', /^[A-Za-z0-9._-]{1,64}$/, "letters, digits, '.', '_' and '-', at most 64")
  if (folder && !id) badVariable('HANDOVER_ID', '', 'is needed where HANDOVER_DIR is set')
  return {
    folder: folder || null,
    id: id || 'alone',
    epoch: integer('EPOCH') ?? 0,
    role: choice('ROLE', 'auto', 'active', 'standby'),
    startedAt: integer('STARTED_AT'),
    maxAge: seconds('MAX_AGE', 300),
    lock: text('LOCK') || lock || (folder ? 'sqlite:' : 'none'),
    lockWhen: choice('LOCK_WHEN', 'window', 'always'),
    lockFail: choice('LOCK_FAIL', 'closed', 'open'),
    namespace: text('NAMESPACE') || (folder ? path.basename(fs.realpathSync(folder)) : '') || 'default',
    listen: loopback(text('LISTEN')),
    buffer: seconds('BUFFER', 10),
  }
}

function loopback(value) {
  if (!value) return null
  const found = /^(127(?:\.[0-9]{1,3}){3}|\[::1\]):([0-9]{1,5})$/.exec(value)
  const port = Number(found?.[2])
  if (!found || port < 1 || port > 65535) {
    badVariable('HANDOVER_LISTEN', value, 'must be a loopback address and a port: 127.0.0.1:PORT')
  }
  return { host: found[1].replace(/[[\]]/g, ''), port }
}

// ------------------------------------------------------------------------------------ locks

/** Opened without O_CREAT where it is there: in a folder like /dev/shm the kernel insists. */
function openedFile(file) {
  for (;;) {
    try {
      return { fd: fs.openSync(file, fs.constants.O_RDONLY), existed: true }
    } catch (error) {
      if (error.code !== 'ENOENT') throw error
    }
    try {
      const flags = fs.constants.O_RDONLY | fs.constants.O_CREAT | fs.constants.O_EXCL
      return { fd: fs.openSync(file, flags, 0o666), existed: false }
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
  }
}

const given = (fd) => ({ stdio: ['ignore', 'ignore', 'ignore', fd] })

/** Whether our descriptor has the lock now. Waits for at most `seconds`. */
function flockNow(fd, words) {
  const ran = spawnSync('flock', [...words, '3'], given(fd))
  if (ran.error) throw new Error(`flock(1) of util-linux cannot be run: ${ran.error.code}`)
  return ran.status === 0
}

/** The same beside other work. It gives up after 10 s, so that nothing waits for long for the dead. */
function flockSoon(fd, words) {
  const child = spawn('flock', [...words, '3'], given(fd))
  const done = new Promise((resolve) => {
    child.on('error', () => resolve(false))
    child.on('exit', (code) => resolve(code === 0))
  })
  return { done, stop: () => child.kill() }
}

const lifeFile = (folder, id) => path.join(folder, `alive-${id}.lock`)

/** Says that `owner` is the living copy `id`. */
function lockLife(folder, id, owner) {
  const { fd, existed } = openedFile(lifeFile(folder, id))
  if (!flockNow(fd, ['-x', '-w', '10'])) return null
  const writing = fs.openSync(lifeFile(folder, id), fs.constants.O_WRONLY)
  fs.ftruncateSync(writing)
  fs.writeSync(writing, `${owner}\n`)
  fs.closeSync(writing)
  return { fd, existed }
}

/** Whether the process that calls itself `owner` (ID:EPOCH:PID:RANDOM) lives. */
async function isAlive(folder, owner) {
  let fd
  try {
    fd = fs.openSync(lifeFile(folder, owner.split(':', 1)[0]), fs.constants.O_RDONLY)
  } catch (error) {
    if (error.code === 'ENOENT') return false
    throw new NoAnswer(`whether ${owner} lives: ${error.code}`)
  }
  try {
    const first = Buffer.alloc(256)
    const length = fs.readSync(fd, first, 0, 256, 0)
    if (first.toString('utf8', 0, length).split('\n', 1)[0] !== owner) return false
    return !(await flockSoon(fd, ['-s', '-n']).done)
  } finally {
    fs.closeSync(fd)
  }
}

const LIFE_IS_KNOWN = 0.1

/** The same, asked once in 100 ms: each time is a process, and events that the other copy has in work
 *  are many while both are active. Those of one that dies meanwhile are watched, and asked for again. */
function askingSeldom(ask) {
  const known = new Map()
  return (owner) => {
    const last = known.get(owner)
    if (last && now() - last.at < LIFE_IS_KNOWN) return last.lives
    const lives = ask(owner)
    known.set(owner, { at: now(), lives })
    lives.catch(() => known.delete(owner))
    return lives
  }
}

/** active.lock: taken when it is free, waited for all the time else. */
class ActiveLock {
  constructor(folder, got) {
    this.fd = openedFile(path.join(folder, 'active.lock')).fd
    this.got = got
    this.held = flockNow(this.fd, ['-x', '-n'])
    this.waiter = null
    this.left = false
  }

  async wait() {
    while (!this.held && !this.left) {
      const begun = now()
      this.waiter = flockSoon(this.fd, ['-x', '-w', '10'])
      this.held = (await this.waiter.done) && !this.left
      this.waiter = null
      if (this.held) this.got()
      else if (now() - begun < 1) await pause(100)
    }
  }

  leave() {
    this.left = true
    this.held = false
    this.waiter?.stop()
    if (this.fd !== null) fs.closeSync(this.fd)
    this.fd = null
  }
}

// ------------------------------------------------------------------------------- state.json

const isNumber = (value) => Number.isSafeInteger(value) && value >= 0

/** {state, problem}: a file that says nothing that can be used is as good as none. */
function readState(folder) {
  let said
  try {
    said = JSON.parse(fs.readFileSync(path.join(folder, 'state.json'), 'utf8'))
  } catch (error) {
    return { state: null, problem: error.code === 'ENOENT' ? '' : `state.json: ${error.message}` }
  }
  const strange = strangeness(said)
  if (strange) return { state: null, problem: `state.json: ${strange}` }
  const highest = Math.max(said.active?.epoch ?? 0, said.next?.epoch ?? 0)
  const state = { lock: true, skew_ms: 2000, horizon_ms: 900_000, active: null, next: null, ...said }
  return { state: { ...state, latest: Math.max(said.latest ?? 0, highest) }, problem: '' }
}

function strangeness(said) {
  if (said === null || typeof said !== 'object' || Array.isArray(said)) return 'is no object'
  if (said.protocol !== PROTOCOL) return `protocol is ${said.protocol} and not ${PROTOCOL}`
  if (!['done', 'standby', 'joint', 'draining'].includes(said.phase)) return `phase is ${said.phase}`
  for (const key of ['active', 'next']) {
    const place = said[key] ?? null
    if (place !== null && !(typeof place.id === 'string' && isNumber(place.epoch))) return `${key} is no copy`
  }
  for (const key of ['latest', 'skew_ms', 'horizon_ms']) {
    if (key in said && !isNumber(said[key])) return `${key} is ${said[key]}`
  }
  return 'lock' in said && typeof said.lock !== 'boolean' ? `lock is ${said.lock}` : ''
}

/** What a copy is by the table of the page: heir, standby, joint, obsolete or first-come. */
function standingOf(environment, state, age) {
  const { epoch, role, maxAge } = environment
  if (state !== null) {
    if (epoch === state.active?.epoch) return state.phase === 'draining' ? 'joint' : 'heir'
    if (epoch === state.next?.epoch && state.phase === 'standby') return 'standby'
    if (epoch === state.next?.epoch && ['joint', 'draining'].includes(state.phase)) return 'joint'
    if (epoch <= state.latest) return 'obsolete'
  }
  if (role === 'active') return 'heir'
  return role === 'standby' && age <= maxAge ? 'standby' : 'first-come'
}

// ----------------------------------------------------------------------------------- claims

const WON = { won: true, pendingOf: '' }
const LOST = { won: false, pendingOf: '' }

/** Asks again while the answer is busy, for at most a second. */
async function asked(call) {
  const ends = now() + 1
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof Busy)) throw error
      if (now() > ends) throw new NoAnswer(`${error.message} for 1 s`)
    }
    await pause(Math.random())
  }
}

const encoded = (text) => {
  let name = ''
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte)
    name += /[A-Za-z0-9_-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return name.length <= 200 ? name : `~${createHash('sha256').update(text).digest('hex')}`
}

/** Claims as files: one is there when its name can be linked, and only one can. */
class DirectoryStore {
  horizonMs = 900_000

  constructor(root, namespace, owner, alive) {
    this.root = root
    this.folder = path.join(root, encoded(namespace))
    this.owner = owner
    this.isAlive = alive
    this.number = 0
    this.own = createHash('sha256').update(owner).digest('hex').slice(0, 16)
    this.unswept = []
  }

  open() {
    return answering(() => {
      this.#make(this.folder)
      fs.unlinkSync(this.#written(this.folder))
    })
  }

  claim(id, done) {
    return answering(() => {
      const claim = this.#at(id)
      if (!fs.existsSync(claim)) {
        if (!fs.existsSync(path.dirname(claim))) this.#make(path.dirname(claim))
        if (done) this.#mark(claim)
        if (this.#linked(claim)) return WON
      }
      return this.#holder(claim)
    })
  }

  takeOver(id, dead) {
    return answering(() => {
      const claim = this.#at(id)
      const number = lastNumber(claim)
      const free = `${claim}.${number + 1}`
      if (ownerIn(numbered(claim, number)) === dead && this.#linked(free)) return WON
      return this.#holder(claim)
    })
  }

  finish(id) {
    return answering(() => this.#mark(this.#at(id)))
  }

  /** One folder of the 256 at a time. */
  sweep() {
    return answering(() => {
      if (!this.unswept.length && fs.existsSync(this.folder)) {
        this.unswept = fs.readdirSync(this.folder, { withFileTypes: true }).filter((found) => found.isDirectory())
      }
      const next = this.unswept.pop()
      if (!next) return
      const before = Date.now() - this.horizonMs
      for (const name of fs.readdirSync(path.join(this.folder, next.name)).slice(0, 1000)) {
        const file = path.join(this.folder, next.name, name)
        const found = fs.statSync(file, { throwIfNoEntry: false })
        if (found && found.mtimeMs < before) fs.rmSync(file, { force: true })
      }
    })
  }

  close() {}

  #at(id) {
    const digest = createHash('sha256').update(id).digest('hex')
    return path.join(this.folder, digest.slice(-2), encoded(id))
  }

  /** Who may write the folder may write in those below: copies run as different accounts. */
  #make(folder) {
    for (const missing of [this.root, this.folder, folder]) {
      try {
        fs.mkdirSync(missing, 0o700)
        fs.chmodSync(missing, 0o700 | (fs.statSync(path.dirname(missing)).mode & 0o777))
      } catch (error) {
        if (error.code !== 'EEXIST') throw error
      }
    }
  }

  #linked(name) {
    const written = this.#written(path.dirname(name))
    try {
      fs.linkSync(written, name)
      return true
    } catch (error) {
      if (error.code === 'EEXIST') return false
      throw error
    } finally {
      fs.unlinkSync(written)
    }
  }

  /** A whole claim under a name that nobody looks at. */
  #written(folder) {
    const file = path.join(folder, `.${this.own}.${this.number++}`)
    writeNew(file, `${this.owner}\n`)
    return file
  }

  #mark(claim) {
    try {
      writeNew(`${claim}.done`, '')
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
  }

  #holder(claim) {
    if (fs.existsSync(`${claim}.done`)) return LOST
    return { won: false, pendingOf: ownerIn(numbered(claim, lastNumber(claim))) }
  }
}

function writeNew(file, content) {
  const mode = 0o600 | (fs.statSync(path.dirname(file)).mode & 0o666)
  fs.writeFileSync(file, content, { flag: 'wx', mode: 0o600 })
  fs.chmodSync(file, mode)
}

const numbered = (claim, number) => (number ? `${claim}.${number}` : claim)

function lastNumber(claim) {
  let number = 0
  while (fs.existsSync(numbered(claim, number + 1))) number += 1
  return number
}

function ownerIn(claim) {
  try {
    return fs.readFileSync(claim, 'utf8').split('\n', 1)[0]
  } catch (error) {
    if (error.code === 'ENOENT') throw new Busy('a claim was swept away while it was looked at')
    throw error
  }
}

/** No error is ever taken for a claim that was lost. */
function answering(act) {
  try {
    return act()
  } catch (error) {
    if (error instanceof Busy || error instanceof NoAnswer) throw error
    throw new NoAnswer(error.message)
  }
}

/** Claims in the SQLite file of the page; needs the node:sqlite of newer Node.js. */
class SqliteStore {
  horizonMs = 900_000

  constructor(file, namespace, owner, alive, synchronous, DatabaseSync) {
    this.file = file
    this.namespace = namespace
    this.owner = owner
    this.isAlive = alive
    this.synchronous = synchronous
    this.DatabaseSync = DatabaseSync
    this.database = null
    this.inode = null
  }

  open() {
    return this.#with(() => {})
  }

  claim(id, done) {
    return this.#with((database) => {
      const insert = 'INSERT INTO claims (ns, id, owner, state, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING'
      const ran = database.prepare(insert).run(this.namespace, id, this.owner, done ? 1 : 0, Date.now())
      return Number(ran.changes) === 1 ? WON : this.#holder(database, id)
    })
  }

  takeOver(id, dead) {
    return this.#with((database) => {
      const update = 'UPDATE claims SET owner = ?, at = ? WHERE ns = ? AND id = ? AND owner = ? AND state = 0'
      const ran = database.prepare(update).run(this.owner, Date.now(), this.namespace, id, dead)
      return Number(ran.changes) === 1 ? WON : this.#holder(database, id)
    })
  }

  finish(id) {
    this.#with((database) =>
      database
        .prepare('UPDATE claims SET state = 1 WHERE ns = ? AND id = ? AND owner = ?')
        .run(this.namespace, id, this.owner),
    )
  }

  sweep() {
    const old = 'SELECT ns, id FROM claims WHERE at < ? AND ns = ? ORDER BY at LIMIT 1000'
    this.#with((database) =>
      database
        .prepare(`DELETE FROM claims WHERE (ns, id) IN (${old})`)
        .run(Date.now() - this.horizonMs, this.namespace),
    )
  }

  close() {
    try {
      this.database?.close()
    } catch {
      // it is given up in any case
    }
    this.database = null
  }

  #holder(database, id) {
    const found = database
      .prepare('SELECT owner, state FROM claims WHERE ns = ? AND id = ?')
      .get(this.namespace, id)
    if (!found) throw new Busy('a claim was swept away while it was looked at')
    return Number(found.state) ? LOST : { won: false, pendingOf: found.owner }
  }

  /** A connection to a file that was removed or replaced is opened again: two files are two truths. */
  #with(act) {
    try {
      if (this.database && fs.statSync(this.file, { throwIfNoEntry: false })?.ino !== this.inode) this.close()
      if (!this.database) this.#connect()
      return act(this.database)
    } catch (error) {
      if (error instanceof Busy) throw error
      // SQLITE_BUSY and SQLITE_LOCKED
      if ([5, 6].includes(error.errcode & 0xff)) throw new Busy(error.message)
      this.close()
      throw new NoAnswer(error.message)
    }
  }

  #connect() {
    if (!fs.existsSync(this.file)) this.#create()
    const database = new this.DatabaseSync(this.file)
    try {
      database.exec('PRAGMA busy_timeout = 0')
      database.exec('PRAGMA journal_mode = WAL')
      database.exec(`PRAGMA synchronous = ${this.synchronous}`)
      database.exec(`CREATE TABLE IF NOT EXISTS claims (ns TEXT NOT NULL, id TEXT NOT NULL,
        owner TEXT NOT NULL, state INTEGER NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (ns, id)) WITHOUT ROWID`)
      database.exec('CREATE INDEX IF NOT EXISTS claims_by_age ON claims (at)')
    } catch (error) {
      database.close()
      throw error
    }
    this.inode = fs.statSync(this.file).ino
    this.database = database
  }

  /** Who may write the folder may write the file; SQLite gives -wal and -shm the mode of the file. */
  #create() {
    try {
      writeNew(this.file, '')
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
  }
}

/** One connection to a Redis server. Nothing that was sent is ever sent again. */
class Resp {
  constructor(address, greeting) {
    this.address = address
    this.greeting = greeting
    this.greeted = null
    this.socket = null
    this.waiting = []
    this.rest = Buffer.alloc(0)
  }

  async ask(...words) {
    if (!this.socket) this.#connect()
    await this.greeted
    return this.#send(words)
  }

  close() {
    this.#fail(new NoAnswer('redis: the connection was closed'))
  }

  #connect() {
    const socket = net.connect(this.address)
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (data) => this.#hear(data))
    socket.on('error', (error) => this.socket === socket && this.#fail(new NoAnswer(`redis: ${error.message}`)))
    socket.on('close', () => this.socket === socket && this.#fail(new NoAnswer('redis: the server hung up')))
    this.greeted = Promise.all(this.greeting.map((words) => this.#send(words)))
    this.greeted.catch((error) => this.socket === socket && this.#fail(error))
  }

  #send(words) {
    if (!this.socket) throw new NoAnswer('redis: the server hung up')
    const parts = words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`)
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => this.#fail(new NoAnswer('redis: no answer for 1 s')), 1000)
      const settle = (act) => (value) => (clearTimeout(late), act(value))
      this.waiting.push({ resolve: settle(resolve), reject: settle(reject) })
      this.socket.write(`*${words.length}\r\n${parts.join('')}`)
    })
  }

  #fail(error) {
    const { socket, waiting } = this
    this.socket = null
    this.waiting = []
    this.rest = Buffer.alloc(0)
    socket?.destroy()
    for (const one of waiting) one.reject(error)
  }

  /** Simple strings, errors, integers and bulk strings are all that is ever answered here. */
  #hear(data) {
    this.rest = Buffer.concat([this.rest, data])
    for (;;) {
      const end = this.rest.indexOf('\r\n')
      if (end < 0) return
      const kind = String.fromCharCode(this.rest[0])
      const line = this.rest.toString('utf8', 1, end)
      let used = end + 2
      let value = kind === ':' ? Number(line) : line
      if (kind === '$') {
        const length = Number(line)
        if (length >= 0 && this.rest.length < used + length + 2) return
        value = length < 0 ? null : this.rest.toString('utf8', used, used + length)
        used += length < 0 ? 0 : length + 2
      }
      this.rest = this.rest.subarray(used)
      const one = this.waiting.shift()
      if (kind === '-') one?.reject(new NoAnswer(`redis: ${line}`))
      else one?.resolve(value)
    }
  }
}

const TAKE = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`
const FINISH = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1`

class RedisStore {
  horizonMs = 900_000

  constructor(url, namespace, owner) {
    const unix = url.protocol === 'redis+unix:'
    const number = unix ? url.searchParams.get('db') : url.pathname.slice(1)
    const host = url.hostname.replace(/[[\]]/g, '') || '127.0.0.1'
    const address = unix ? { path: decodeURIComponent(url.pathname) } : { host, port: Number(url.port || 6379) }
    const user = url.username ? [decodeURIComponent(url.username)] : []
    const greeting = url.password ? [['AUTH', ...user, decodeURIComponent(url.password)]] : []
    if (number && number !== '0') greeting.push(['SELECT', number])
    this.redis = new Resp(address, greeting)
    this.prefix = `gapless:${namespace}:`
    this.owner = owner
    this.beating = null
  }

  async open() {
    await this.#beat()
    this.beating ??= setInterval(() => this.#beat().catch(() => {}), 1000)
  }

  async claim(id, done) {
    if (!this.beating) await this.open()
    const key = this.prefix + id
    const won = await this.redis.ask('SET', key, `${this.owner} ${done ? 1 : 0}`, 'NX', 'PX', this.horizonMs)
    return won ? WON : this.#holder(key)
  }

  async takeOver(id, dead) {
    const key = this.prefix + id
    const taken = await this.redis.ask('EVAL', TAKE, 1, key, `${dead} 0`, `${this.owner} 0`, this.horizonMs)
    return taken ? WON : this.#holder(key)
  }

  finish(id) {
    return this.redis.ask('EVAL', FINISH, 1, this.prefix + id, `${this.owner} 0`, `${this.owner} 1`)
  }

  async isAlive(owner) {
    return Boolean(await this.redis.ask('EXISTS', `${this.prefix}owner:${owner}`))
  }

  sweep() {}

  async close() {
    clearInterval(this.beating)
    if (this.beating) await this.redis.ask('DEL', `${this.prefix}owner:${this.owner}`).catch(() => {})
    this.redis.close()
  }

  async #beat() {
    await this.redis.ask('SET', `${this.prefix}owner:${this.owner}`, '1', 'PX', 3000)
  }

  async #holder(key) {
    const found = await this.redis.ask('GET', key)
    if (found === null) throw new Busy('a claim ran out while it was looked at')
    const [, owner, state] = /^(.+) ([01])$/.exec(found) ?? []
    if (!owner) throw new NoAnswer(`redis: a claim holds ${found}`)
    return state === '1' ? LOST : { won: false, pendingOf: owner }
  }
}

/** Which store a url names; its value may hold a password, so it is never repeated. */
function storeOf(environment, owner, alive) {
  const { lock, folder, namespace } = environment
  const scheme = lock.split(':', 1)[0]
  const bad = (why) => badVariable('HANDOVER_LOCK', `${scheme}:…`, why)
  if (lock === 'none') return null
  if (scheme === 'dir') {
    return new DirectoryStore(pathIn(lock) ?? bad('needs a path: dir:///path'), namespace, owner, alive)
  }
  if (scheme === 'redis' || scheme === 'redis+unix') {
    try {
      return new RedisStore(new URL(lock), namespace, owner)
    } catch {
      return bad('is no url of Redis')
    }
  }
  if (scheme === 'sqlite') {
    if (lock === 'sqlite:' && !folder) bad('needs a path where HANDOVER_DIR is not set')
    const file = lock === 'sqlite:' ? path.join(folder, 'claims.db') : pathIn(lock)
    const synchronous = lock === 'sqlite:' ? 'OFF' : 'NORMAL'
    const { DatabaseSync } = sqliteOr(() => bad(`this Node.js ${process.version} has no node:sqlite; use dir:///path`))
    return new SqliteStore(file ?? bad('needs a path: sqlite:///path'), namespace, owner, alive, synchronous, DatabaseSync)
  }
  return bad('must be sqlite:, sqlite:///path, dir:///path, redis://, redis+unix:// or none')
}

function pathIn(lock) {
  const found = /^[a-z]+:\/\/(\/.+)$/.exec(lock)
  try {
    return found ? decodeURIComponent(found[1]) : null
  } catch {
    return null
  }
}

function sqliteOr(otherwise) {
  try {
    return createRequire(import.meta.url)('node:sqlite')
  } catch {
    return otherwise()
  }
}

// ------------------------------------------------------------------------------------ units

/** A shard, partition or subscription. Connected is not alive: it must have shown something since. */
class Unit {
  #life
  #connected = false
  #beat = null

  constructor(name, life) {
    this.name = name
    this.#life = life
  }

  /** Not ready yet: that takes a sign of life. */
  connected() {
    this.#connected = true
    this.#beat = null
  }

  /** An event or a heartbeat came over this connection. */
  beat() {
    this.#beat = now()
  }

  lost() {
    this.#connected = false
    this.#beat = null
  }

  get ready() {
    return this.#connected && this.#beat !== null && now() - this.#beat <= this.#life
  }

  get status() {
    const age = this.#beat === null ? null : Math.floor((now() - this.#beat) * 1000)
    return { ready: this.ready, last_event_age_ms: age }
  }
}

// ---------------------------------------------------------------------------------- the copy

export class Handover {
  #environment
  #units
  #limit
  #life
  #state = 'BOOTING'
  #standing = 'alone'
  #stateFile = null
  #active = null
  #aliveLock = null
  #store = null
  #owner
  #seen
  #lockOn = false
  #claimsUntil = 0
  #tookOver = false
  #offering = false
  #offered = Promise.resolve()
  #endsAt = null
  #obsolete = false
  #leaves = false
  #ended = false
  #kept = []
  #owed = []
  #owedAt = 0
  #inWork = new Map()
  #watched = new Map()
  #followups = 0
  #problems = new Map()
  #counts = { claims_won: 0, claims_lost: 0, lock_errors: 0, failed_open: 0, failed_closed: 0, handled: 0 }
  #dropped = 0
  #born = now()
  #age
  #toldAt = null
  #servers = []
  #timers = []
  #signals = new Map()
  #over
  #overNow

  /**
   * `units`: what must be connected and alive before the program is ready. `life`: seconds without a
   * sign of life after which a unit is not alive. `limit`: seconds for finishing what was begun. `lock`:
   * where claims are kept unless HANDOVER_LOCK says otherwise. Ends the program with status 78 where a
   * variable holds what is none.
   */
  static fromEnvironment(units = [], { life = 60, limit = 30, lock = '', variables = process.env } = {}) {
    return new Handover(environmentOf(variables, lock), units, life, limit)
  }

  constructor(environment, units, life, limit) {
    this.#environment = environment
    this.#life = life
    this.#limit = limit
    this.#units = new Map(units.map((name) => [name, new Unit(name, life)]))
    this.#seen = environment.epoch
    this.#owner = `${environment.id}:${environment.epoch}:${process.pid}:${randomBytes(4).toString('hex')}`
    const age = environment.startedAt === null ? Infinity : (Date.now() - environment.startedAt) / 1000
    this.#age = Math.max(0, age)
    const lives = askingSeldom((owner) => isAlive(environment.folder, owner))
    this.#store = storeOf(environment, this.#owner, lives)
    this.#over = new Promise((resolve) => (this.#overNow = resolve))
  }

  /** Connect after this. Ends the program with status 75 where another epoch has taken over. */
  async open() {
    if (this.#environment.folder === null) {
      this.#state = 'ACTIVE'
    } else {
      this.#sitDown()
    }
    this.#catchSignals()
    await this.#listen()
    this.#timers.push(setInterval(() => this.#look(), LOOK_MS))
    if (this.#store && this.#active) {
      this.#timers.push(setInterval(() => this.#tendWatched(), 50))
      this.#timers.push(setInterval(() => this.#sweep(), 1000))
      asked(() => this.#store.open()).catch((error) => this.#lockFails(error))
    }
    return this
  }

  /** Call it last. */
  async close() {
    for (const timer of this.#timers) clearInterval(timer)
    for (const [name, act] of this.#signals) process.removeListener(name, act)
    for (const server of this.#servers) {
      server.close()
      server.closeIdleConnections?.()
    }
    const { folder, id } = this.#environment
    if (folder && !this.#problems.has('control')) fs.rmSync(path.join(folder, `ctl-${id}.sock`), { force: true })
    await this.#store?.close()
    this.#active?.leave()
    if (this.#aliveLock) fs.closeSync(this.#aliveLock.fd)
    this.#aliveLock = null
  }

  unit(name) {
    const unit = this.#units.get(name)
    if (!unit) throw new RangeError(`there is no unit '${name}'; units are: ${[...this.#units.keys()].join(', ')}`)
    return unit
  }

  addUnit(name) {
    if (!this.#units.has(name)) this.#units.set(name, new Unit(name, this.#life))
    return this.#units.get(name)
  }

  removeUnit(name) {
    this.#units.delete(name)
  }

  /**
   * Handles the event, keeps it, or leaves it to the other copy, and says which: 'handled', 'kept',
   * 'left' or 'dropped'. `once` names what a crash in the middle may do; with 'idempotent-key' the
   * handler gets the event's id as its second argument. What the handler throws is thrown here; what it
   * throws for an event that was kept is written to standard error.
   */
  async offer(id, event, handle, { once, unit } = {}) {
    if (!LEVELS.includes(once)) throw new RangeError(`once: '${once}' is no level; levels are ${LEVELS.join(', ')}`)
    const work = { id: String(id), event, handle, once }
    if (!work.id || work.id.includes('\0')) throw new RangeError(`the event id '${work.id}' names no event`)
    if (unit !== undefined) this.unit(unit).beat()
    if (this.#state !== 'ACTIVE' || this.#offering) {
      this.#keep(work)
      return 'kept'
    }
    this.#begun(work)
    return this.#carry(work, this.#claimsNeeded, () => {})
  }

  /** Something of an earlier event that must come to its end here. Call what it returns at the end. */
  followUp() {
    this.#followups += 1
    let open = true
    return () => {
      if (open) this.#followups -= 1
      open = false
    }
  }

  /** When this copy is to end: all that was begun is finished, or the deadline is over. */
  async drained() {
    await this.#over
    const undone = [...this.#inWork.keys(), ...this.#owed.map((kept) => kept.work)]
    const left = { events: undone.map((work) => work.id), followups: this.#followups }
    if (left.events.length || left.followups) {
      const some = left.events.slice(0, 20).join(', ')
      say(
        `${this.#environment.id} ends at its deadline; left undone: ` +
          `${left.events.length} events (${some}), ${left.followups} follow-ups`,
      )
    }
    return left
  }

  /** As TERM does: finish what was begun, take nothing new. */
  end() {
    if (this.#state === 'ACTIVE') this.#drain(this.#limit)
    else if (this.#state !== 'DRAINING') this.#leave()
  }

  get state() {
    return this.#state
  }

  get ready() {
    return this.#state !== 'BOOTING' && this.#unitsReady
  }

  /** As GET /handover answers it. */
  status() {
    this.#consult()
    const units = [...this.#units.values()]
    return {
      protocol: PROTOCOL,
      id: this.#environment.id,
      epoch: this.#environment.epoch,
      pid: process.pid,
      state: this.#state,
      lock: this.#lockOn && this.#store !== null,
      lock_when: this.#environment.lockWhen,
      ready: this.ready,
      stale: this.#stale,
      took_over: this.#tookOver,
      restarted: this.#aliveLock?.existed ?? false,
      units_ready: units.filter((unit) => unit.ready).length,
      units_total: units.length,
      units: Object.fromEntries(units.map((unit) => [unit.name, unit.status])),
      inflight: this.#inWork.size,
      followups: this.#followups,
      buffered: this.#kept.length + this.#owed.length,
      buffer_dropped: this.#dropped,
      ...this.#counts,
      problems: [...this.#problems.values()],
    }
  }

  // --- where it stands

  #sitDown() {
    const { folder, id } = this.#environment
    try {
      this.#aliveLock = lockLife(folder, id, this.#owner)
    } catch (error) {
      badVariable('HANDOVER_DIR', folder, error.message)
    }
    if (!this.#aliveLock) badVariable('HANDOVER_ID', id, 'a copy with this id is alive')
    this.#consult()
    if (this.#isObsolete()) this.#endObsolete()
    try {
      this.#active = new ActiveLock(folder, () => this.#gotActive())
    } catch (error) {
      badVariable('HANDOVER_DIR', folder, `active.lock: ${error.message}`)
    }
    const atOnce = this.#active.held
    this.#lockOn = this.#stateFile === null ? !atOnce : this.#lockByFile
    if (atOnce && this.#standing === 'standby') this.#takesOver()
    this.#active.wait()
  }

  /** And else it knows where it stands. */
  #isObsolete() {
    const age = this.#age + now() - this.#born
    this.#standing = standingOf(this.#environment, this.#stateFile, age)
    return this.#standing === 'obsolete'
  }

  #endObsolete() {
    endObsolete(this.#environment.id, this.#environment.epoch, this.#stateFile?.latest ?? 0)
  }

  get #lockByFile() {
    return this.#stateFile === null || this.#stateFile.lock || this.#standing === 'joint'
  }

  /** The other one is gone. Another orchestrator may have gone on since. */
  #gotActive() {
    if (this.#state === 'DRAINING') return
    this.#consult()
    if (this.#state === 'ACTIVE') return
    const waitedAs = this.#standing
    if (this.#isObsolete()) {
      this.#obsolete = true
      this.#leave()
      return
    }
    this.#lockOn = this.#lockByFile
    if (waitedAs === 'standby' || waitedAs === 'first-come') this.#takesOver()
    this.#look()
  }

  #takesOver() {
    this.#tookOver = true
    say(`${this.#environment.id} takes over: nobody is active`)
  }

  #consult() {
    if (this.#environment.folder === null) return
    const { state, problem } = readState(this.#environment.folder)
    this.#stateFile = state
    if (problem) this.#problems.set('state.json', problem)
    else this.#problems.delete('state.json')
    if (state === null) return
    this.#seen = Math.max(this.#seen, state.latest)
    if (this.#store) this.#store.horizonMs = state.horizon_ms
  }

  get #unitsReady() {
    return [...this.#units.values()].every((unit) => unit.ready)
  }

  get #stale() {
    if (this.#state !== 'STANDBY') return false
    const silence = this.#toldAt === null ? this.#age + now() - this.#born : now() - this.#toldAt
    return silence > this.#environment.maxAge
  }

  // --- states

  #look() {
    this.#forgetOld()
    if (this.#state === 'BOOTING' && this.#unitsReady) this.#state = 'STANDBY'
    if (this.#state === 'STANDBY' && this.#mayActivate) this.#becomeActive()
    if (this.#state !== 'DRAINING' || this.#ended) return
    if (this.#owed.length && now() >= this.#owedAt) this.#offerWhatIsKept()
    const idle = this.#inWork.size === 0 && this.#followups === 0 && this.#owed.length === 0
    if (idle || now() >= this.#endsAt) this.#finish()
  }

  get #mayActivate() {
    return this.#standing === 'joint' || (this.#active.held && this.#unitsReady)
  }

  #finish() {
    this.#ended = true
    this.#overNow()
    if (this.#obsolete) this.#endObsolete()
  }

  #becomeActive() {
    if (this.#state === 'ACTIVE') return
    this.#state = 'ACTIVE'
    this.#endsAt = null
    this.#offerWhatIsKept()
  }

  #offerWhatIsKept() {
    if (this.#offering) return
    this.#offering = true
    this.#offered = this.#offered.then(() => this.#offerKept())
  }

  #drain(seconds) {
    if (this.#state !== 'ACTIVE') return
    this.#state = 'DRAINING'
    this.#endsAt = now() + seconds
    if (this.#offering) this.#owe(now())
  }

  /**
   * From BOOTING or STANDBY, for good. It may have been connected when nobody else was; what the other
   * one was sent, it has claimed when the skew is over.
   */
  #leave() {
    this.#consult()
    this.#state = 'DRAINING'
    this.#leaves = true
    this.#endsAt = now()
    this.#active?.leave()
    if (this.#store && this.#stateFile && this.#kept.length) {
      this.#lockOn = this.#stateFile.lock
      if (this.#lockIsForGood) {
        this.#owe(now() + this.#stateFile.skew_ms / 1000)
        this.#endsAt = this.#owedAt + this.#limit
        return
      }
    }
    this.#finish()
  }

  /** What is kept, before the copy goes. */
  #owe(from) {
    this.#owed.push(...this.#kept.splice(0))
    this.#owedAt = from
  }

  /** Oldest first. What comes meanwhile is kept behind the rest, and not offered by one that ends. */
  async #offerKept() {
    while (this.#offering) {
      const next = this.#owed.shift() ?? (this.#state === 'ACTIVE' ? this.#kept.shift() : undefined)
      if (!next) {
        this.#offering = false
        return
      }
      this.#begun(next.work)
      await this.#beside(next.work, this.#claimsNeeded)
    }
  }

  /** Returns when the claim is decided and the handler has begun. */
  #beside(work, claims) {
    return new Promise((begun) => {
      this.#carry(work, claims, begun)
        .catch((error) => say(`${work.id}: the handler failed: ${error?.stack ?? error}`))
        .finally(begun)
    })
  }

  // --- events

  #keep(work) {
    this.#forgetOld()
    if (this.#kept.length >= MOST_KEPT) {
      this.#kept.shift()
      this.#dropped += 1
    }
    this.#kept.push({ at: now(), work })
  }

  #forgetOld() {
    // nobody handles events in the place of an heir while it boots
    const heir = this.#state === 'BOOTING' && (this.#active?.held || this.#standing === 'joint')
    if (this.#offering || heir) return
    const before = now() - this.#environment.buffer
    while (this.#kept.length && this.#kept[0].at < before) this.#kept.shift()
  }

  #begun(work) {
    this.#inWork.set(work, (this.#inWork.get(work) ?? 0) + 1)
  }

  #done(work) {
    const left = this.#inWork.get(work) - 1
    if (left) this.#inWork.set(work, left)
    else this.#inWork.delete(work)
  }

  #turnLock(on) {
    if (this.#lockOn && !on) this.#claimsUntil = now() + LATE
    this.#lockOn = on
  }

  get #lockIsForGood() {
    return this.#lockOn || this.#environment.lockWhen === 'always'
  }

  get #claimsNeeded() {
    if (!this.#store || !this.#active) return false
    return this.#lockIsForGood || now() < this.#claimsUntil
  }

  async #carry(work, claims, begun) {
    try {
      const verdict = claims ? await this.#claim(work) : 'unclaimed'
      if (verdict === 'left' || verdict === 'dropped') return verdict
      begun()
      try {
        await (work.once === 'idempotent-key' ? work.handle(work.event, work.id) : work.handle(work.event))
      } finally {
        // a handler that threw has handled its event, too
        this.#counts.handled += 1
        if (verdict === 'won' && work.once !== 'at-most-once') await this.#markDone(work)
      }
      return 'handled'
    } finally {
      this.#done(work)
      this.#look()
    }
  }

  async #claim(work) {
    const store = this.#store
    let answer
    try {
      answer = await asked(() => store.claim(work.id, work.once === 'at-most-once'))
      const owner = answer.pendingOf
      if (owner && owner !== this.#owner && !(await store.isAlive(owner))) {
        answer = await asked(() => store.takeOver(work.id, owner))
      }
    } catch (error) {
      return this.#noAnswer(error)
    }
    if (answer.won) {
      this.#count('claims_won')
      return 'won'
    }
    if (answer.pendingOf && answer.pendingOf !== this.#owner) {
      // in work until the other one has done it, or is dead
      this.#begun(work)
      this.#watched.set(work, { owner: answer.pendingOf, due: now() + 0.5 })
    } else {
      this.#count('claims_lost')
    }
    return 'left'
  }

  async #markDone(work) {
    try {
      await asked(() => this.#store.finish(work.id))
    } catch (error) {
      // the effect is there; if this process dies, another one doubles it
      this.#counts.lock_errors += 1
      this.#lockFails(error)
    }
  }

  async #tendWatched() {
    const owners = new Set([...this.#watched.values()].map((entry) => entry.owner))
    const dead = new Set()
    for (const owner of owners) {
      const lives = await Promise.resolve(this.#store.isAlive(owner)).catch(() => true)
      if (!lives) dead.add(owner)
    }
    for (const [work, entry] of this.#watched) {
      if (entry.due > now() && !dead.has(entry.owner)) continue
      this.#watched.delete(work)
      this.#beside(work, true)
    }
  }

  async #sweep() {
    // what cannot be swept now will be later
    if (this.#state === 'ACTIVE') await asked(() => this.#store.sweep()).catch(() => {})
  }

  #count(what) {
    this.#counts[what] += 1
    this.#problems.delete('lock')
  }

  /** No error is ever taken for "the other one has it". */
  #noAnswer(error) {
    const open = this.#environment.lockFail === 'open' || !this.#lockIsForGood
    this.#counts.lock_errors += 1
    this.#counts[open ? 'failed_open' : 'failed_closed'] += 1
    this.#lockFails(error)
    return open ? 'unclaimed' : 'dropped'
  }

  #lockFails(error) {
    const words = `the lock does not answer: ${error.message}`
    if (this.#problems.get('lock') !== words) say(words)
    this.#problems.set('lock', words)
  }

  // --- control

  async #listen() {
    const { folder, id, listen } = this.#environment
    try {
      if (folder) await this.#listenOnSocket(folder, `ctl-${id}.sock`)
      if (listen) await this.#listening(listen)
    } catch (error) {
      // signals are left
      this.#problems.set('control', `control cannot be served: ${error.message}`)
      say(`control cannot be served: ${error.message}`)
    }
  }

  /** It gets its name when nobody else can connect any more; the kernel takes 107 bytes of a path. */
  async #listenOnSocket(folder, name) {
    const inside = fs.openSync(folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
    const fresh = `/proc/self/fd/${inside}/.${name.slice(0, 40)}.${randomBytes(4).toString('hex')}`
    await this.#listening({ path: fresh })
    fs.chmodSync(fresh, 0o600)
    fs.renameSync(fresh, `/proc/self/fd/${inside}/${name}`)
    fs.closeSync(inside)
  }

  #listening(where) {
    const server = http.createServer((request, response) => this.#answer(request, response))
    this.#servers.push(server)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(where, resolve)
    })
  }

  async #answer(request, response) {
    request.resume()
    let status = 200
    let body
    try {
      status = await this.#obey(request.method, new URL(request.url, 'http://localhost'))
      body = this.status()
    } catch (error) {
      ;[status, body] = this.#refusal(error)
    }
    const text = JSON.stringify(body)
    response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) })
    response.end(text)
  }

  #refusal(error) {
    if (error instanceof ObsoleteEpoch) return [409, { error: 'obsolete', epoch: this.#seen }]
    if (error instanceof WrongState) return [409, { error: 'state', state: this.#state }]
    return [400, { error: 'request', why: error.message }]
  }

  async #obey(method, url) {
    const posts = { '/lock': 'lock', '/activate': 'activate', '/deactivate': 'deactivate', '/abort': 'abort' }
    if (['/healthz', '/readyz', '/handover'].includes(url.pathname)) {
      if (method !== 'GET') throw new Nonsense(`${url.pathname} is asked for with GET`)
      return url.pathname === '/readyz' && !this.ready ? 503 : 200
    }
    const what = posts[url.pathname]
    if (!what) throw new Nonsense(`there is no ${url.pathname}`)
    if (method !== 'POST') throw new Nonsense(`${url.pathname} is asked for with POST`)
    const parameters = once(url.searchParams)
    const epoch = integerOf(parameters, 'epoch')
    const on = what === 'lock' ? truthOf(parameters, 'on') : null
    const seconds = 'deadline' in parameters ? integerOf(parameters, 'deadline') / 1000 : this.#limit
    this.#hear(epoch)
    await this.#ordered(what, on, seconds)
    return 200
  }

  #hear(epoch) {
    this.#consult()
    if (epoch < this.#seen) throw new ObsoleteEpoch()
    this.#seen = epoch
    this.#toldAt = now()
  }

  async #ordered(what, on, seconds) {
    if (what === 'lock') this.#turnLock(on)
    else if (what === 'deactivate') this.#deactivate(seconds)
    else await this.#handleAgain(what === 'activate' ? 'STANDBY' : 'DRAINING')
  }

  #deactivate(seconds) {
    if (!['ACTIVE', 'DRAINING'].includes(this.#state)) throw new WrongState()
    this.#drain(seconds)
  }

  async #handleAgain(from) {
    if (![from, 'ACTIVE'].includes(this.#state) || this.#leaves || this.#ended) throw new WrongState()
    this.#becomeActive()
    await this.#offered
    if (this.#state !== 'ACTIVE') throw new WrongState()
  }

  #catchSignals() {
    const forgiving = (act) => () => {
      try {
        this.#consult()
        this.#toldAt = now()
        act()
      } catch (error) {
        if (!(error instanceof WrongState)) throw error
      }
    }
    this.#signals = new Map([
      ['SIGUSR2', forgiving(() => void this.#handleAgain('STANDBY').catch(() => {}))],
      ['SIGTSTP', forgiving(() => this.#deactivate(this.#limit))],
      ['SIGTTIN', forgiving(() => this.#turnLock(true))],
      ['SIGTTOU', forgiving(() => this.#turnLock(false))],
      ['SIGTERM', () => this.end()],
    ])
    for (const [name, act] of this.#signals) process.on(name, act)
  }
}

function once(parameters) {
  const keys = [...parameters.keys()]
  if (keys.length !== new Set(keys).size) throw new Nonsense('a parameter is given twice')
  return Object.fromEntries(parameters)
}

function integerOf(parameters, key) {
  const value = parameters[key] ?? ''
  if (!/^[0-9]{1,15}$/.test(value)) throw new Nonsense(`${key} must be an integer that is not negative`)
  return Number(value)
}

function truthOf(parameters, key) {
  const value = parameters[key]
  if (value !== 'true' && value !== 'false') throw new Nonsense(`${key} must be true or false`)
  return value === 'true'
}
