// English. The shape of this dictionary is the shape of every other one.
import type { EndCause, NoticeCode, ProblemCode, RefusalCode, VerdictCause } from "./codes";

/** A sentence and, where there is one, what the person can do. */
export type Said = { title: string; body: string };

export type Texts = {
  app: Record<
    "name" | "hail" | "starting" | "language" | "theme" | "system" | "light" | "dark" | "preferences" | "close" | "dismiss" | "details",
    string
  >;
  signIn: Record<
    | "where"
    | "how"
    | "embedded"
    | "embeddedHint"
    | "server"
    | "serverHint"
    | "heading"
    | "address"
    | "addressHint"
    | "withToken"
    | "withPassword"
    | "token"
    | "user"
    | "password"
    | "submit"
    | "back"
    | "privacy"
    | "kept"
    | "method"
    | "room"
    | "roomHint"
    | "roomSecret",
    string
  > & { connecting: (host: string) => string };
  voice: Record<
    "title" | "noise" | "off" | "normal" | "strong" | "echo" | "gain" | "gainHint" | "highPass" | "highPassHint",
    string
  >;
  camera: Record<"title" | "turn" | "turnHint" | "upright", string> & { turned: (degrees: string) => string };
  sound: Record<
    | "open"
    | "title"
    | "microphone"
    | "speaker"
    | "ringOn"
    | "ringVolume"
    | "ringHint"
    | "asSpeaker"
    | "level"
    | "test"
    | "testSpeaker"
    | "ring"
    | "testRing",
    string
  > & {
    asSystem: (name: string | null) => string;
    missing: (name: string) => string;
  };
  invitation: Record<
    | "question"
    | "room"
    | "server"
    | "encrypted"
    | "notEncrypted"
    | "nothingYet"
    | "call"
    | "videoCall"
    | "cancel"
    | "unreadable"
    | "paste"
    | "open"
    | "openTyped"
    | "copy"
    | "copied"
    | "notCopied",
    string
  > & { leaves: (server: string) => string };
  stream: Record<
    | "open"
    | "title"
    | "hint"
    | "room"
    | "app"
    | "name"
    | "vhost"
    | "vhostHint"
    | "play"
    | "push"
    | "pushHint"
    | "theirs"
    | "theirsHint"
    | "twoWay"
    | "twoWayHint"
    | "noPicture"
    | "stop",
    string
  > & {
    playing: (room: string) => string;
    pushing: (room: string) => string;
    both: (room: string, own: string) => string;
    /** Why one way is gone, before what to do. */
    gone: (why: string) => string;
    named: (name: string) => string;
  };
  people: Record<
    | "people"
    | "recent"
    | "recentCalls"
    | "all"
    | "missed"
    | "search"
    | "echo"
    | "echoHint"
    | "tryEcho"
    | "nobody"
    | "nobodyHint"
    | "emptyList"
    | "noMatch"
    | "noRecent"
    | "noRecentHint"
    | "noMissed"
    | "today"
    | "yesterday"
    | "builtIn"
    | "otherServer"
    | "connecting"
    | "offline"
    | "incoming"
    | "outgoing"
    | "missedCall"
    | "others"
    | "searching"
    | "searchFailed"
    | "nobodyFound",
    string
  > & {
    addContact: (name: string) => string;
    removeContact: (name: string) => string;
    presence: Record<"ready" | "in_call" | "offline" | "unknown", string>;
    me: (name: string, id: string) => string;
    call: (name: string) => string;
    videoCall: (name: string) => string;
    callId: (id: string) => string;
    callRoom: (room: string) => string;
    searchRooms: string;
    callBack: (name: string) => string;
    missedCount: (count: number) => string;
  };
  ring: Record<
    | "reached"
    | "ringing"
    | "connecting"
    | "calling"
    | "onlyYou"
    | "cancel"
    | "silence"
    | "silenced"
    | "videoCall"
    | "audioCall"
    | "hidden"
    | "acceptVideo"
    | "accept"
    | "audioOnly"
    | "decline"
    | "steps",
    string
  > & { to: (name: string) => string; id: (id: string) => string };
  call: Record<
    | "controls"
    | "mute"
    | "unmute"
    | "muted"
    | "camera"
    | "stopCamera"
    | "startCamera"
    | "devices"
    | "keypad"
    | "noKeypad"
    | "keysPressed"
    | "hangUp"
    | "endCall"
    | "audioCall"
    | "time"
    | "you"
    | "direct"
    | "relay"
    | "directLong"
    | "relayLong"
    | "pathUnknown"
    | "checkCode"
    | "checkCodeHint"
    | "checkCodeDiffers"
    | "hears"
    | "notHeard"
    | "sees"
    | "notSeen"
    | "notKnown"
    | "youMuted"
    | "cameraOff"
    | "yourCameraOff"
    | "testPicture"
    | "yourPicture"
    | "speaking"
    | "echoTest"
    | "echoHow"
    | "echoLoss"
    | "reconnecting"
    | "reconnectingHint"
    | "connecting"
    | "audioOnly"
    | "waitingPicture"
    | "picturePlace",
    string
  > & {
    videoWith: (name: string) => string;
    audioWith: (name: string) => string;
    quality: (words: string) => string;
    hearsYou: (name: string) => string;
    hearsYouNot: (name: string) => string;
    hearsYouUnknown: (name: string) => string;
    theyMuted: (name: string) => string;
    theirCameraOff: (name: string) => string;
    pictureOf: (name: string) => string;
    key: (digit: string) => string;
    seconds: (count: number) => string;
  };
  telltale: Record<"you" | "line" | "them", Record<"ok" | "weak" | "bad" | "unknown", string>>;
  verdict: Record<VerdictCause, (name: string, loss: string | null) => string>;
  end: Record<EndCause, (name: string) => Said>;
  recentEnd: Record<EndCause, (name: string, video: boolean) => string>;
  ended: Record<"again" | "close" | "video" | "audio", string> & { allowedIn: (span: string) => string };
  problem: Record<ProblemCode, (host: string) => Said>;
  trouble: Record<"tryNow" | "useHere" | "useBuiltIn" | "otherServer" | "changeAddress", string> & {
    retryIn: (seconds: number) => string;
  };
  notice: Record<NoticeCode, Said>;
  refusal: Record<RefusalCode, string>;
  span: (hours: number, minutes: number, seconds: number) => string;
};

const THIN = "\u2009";

export const en: Texts = {
  app: {
    name: "Ahoy",
    hail: "Ahoy.",
    starting: "Casting off…",
    language: "Language",
    theme: "Look",
    system: "System",
    light: "Light",
    dark: "Dark",
    preferences: "Preferences",
    close: "Close",
    dismiss: "Dismiss",
    details: "Small print",
  },
  signIn: {
    where: "Where would you like to call from?",
    how: "How to connect",
    embedded: "On this computer",
    embeddedHint: "The built-in server: no account, nothing to set up. Good for trying two windows side by side.",
    server: "Sign in to an IM-Suite server",
    serverHint: "Reach anyone by id. Takes an address and a token or a password.",
    heading: "Sign in to IM-Suite",
    address: "Server",
    addressHint: "wss://im.example.org/ws",
    withToken: "Token",
    withPassword: "Name and password",
    token: "Token",
    user: "Name",
    password: "Password",
    submit: "Sign in",
    back: "Back",
    privacy: "Calls are encrypted. Camera and microphone stay off until you call.",
    kept: "Sent to this server only.",
    method: "Sign in with",
    room: "Your room",
    roomHint: "Others call you by this name",
    roomSecret: "Secret of the server, if it has one",
    connecting: (host) => `Connecting to ${host}…`,
  },
  voice: {
    title: "Voice clean-up",
    noise: "Remove background noise",
    off: "Off",
    normal: "Steady",
    strong: "All",
    echo: "Cancel echo",
    gain: "Even out my level",
    gainHint: "The slider of the system is never touched.",
    highPass: "Cut low rumble",
    highPassHint: "Takes away what is below every voice: steps, wind, fans.",
  },
  camera: {
    title: "Camera",
    turn: "Turn the picture",
    turnHint: "For a camera that is mounted on its side. Others see it turned too.",
    upright: "As it is",
    turned: (degrees) => `${degrees} clockwise`,
  },
  sound: {
    open: "Sound, voice and camera…",
    title: "Sound, voice and camera",
    microphone: "Microphone",
    speaker: "Speaker",
    ringOn: "Ring on",
    ringVolume: "Volume",
    ringHint: "Only incoming calls ring there. Everything else is heard on the speaker.",
    asSpeaker: "Same as the speaker",
    level: "Input level",
    test: "Test",
    testSpeaker: "Play a test sound on the speaker",
    ring: "Ring",
    testRing: "Ring once to try it",
    asSystem: (name) => (name === null ? "Same as system" : `Same as system · ${name}`),
    missing: (name) => `${name} · not found`,
  },
  invitation: {
    question: "Follow this invitation?",
    room: "Room",
    server: "Server",
    encrypted: "The way to this server is encrypted.",
    notEncrypted: "The way to this server is not encrypted: others in the network can read whom you call.",
    nothingYet: "Nothing connects and nobody rings before you choose.",
    call: "Call",
    videoCall: "Video call",
    cancel: "Cancel",
    unreadable: "This invitation cannot be followed",
    paste: "Paste an invitation",
    open: "Open",
    openTyped: "Open this invitation",
    copy: "Copy invitation",
    copied: "Copied",
    notCopied: "Could not be copied",
    leaves: (server) => `To call there you sign out here: ${server}.`,
  },
  stream: {
    open: "Stream…",
    title: "A stream of a media server",
    hint: "The room is that of the media server. Playing turns no camera and no microphone on.",
    room: "Room",
    app: "Application",
    name: "Stream",
    vhost: "Virtual host",
    vhostHint: "Usually left empty",
    play: "Play",
    push: "Push",
    pushHint: "Sends your camera and microphone under this name",
    theirs: "Their stream",
    theirsHint: "For both ways",
    twoWay: "Both ways",
    twoWayHint: "Pushes your stream and plays theirs, as one call",
    noPicture: "The stream brings no picture",
    stop: "Stop",
    playing: (room) => `Playing from ${room}`,
    pushing: (room) => `Sending to ${room}`,
    both: (room, own) => `Both ways with ${room}, as ${own}`,
    gone: (why) => `${why}. `,
    named: (name) => `Stream ${name}`,
  },
  people: {
    people: "People",
    recent: "Recent",
    recentCalls: "Recent calls",
    all: "All",
    missed: "Missed",
    search: "Search or dial an id",
    searchRooms: "Search or name a room",
    echo: "Echo test",
    echoHint: "Hear yourself as they hear you",
    tryEcho: "Try the echo test",
    nobody: "Nobody to hail yet",
    nobodyHint: "People appear here when they sign in to this server. Until then the echo test answers every call.",
    emptyList: "People on this server appear here.",
    noMatch: "Nobody here by that name.",
    noRecent: "No calls yet",
    noRecentHint: "Choose somebody on the left. A call that ends is written down here.",
    noMissed: "No missed calls.",
    today: "Today",
    yesterday: "Yesterday",
    builtIn: "built-in server",
    otherServer: "Other server…",
    connecting: "Connecting…",
    offline: "Offline",
    incoming: "Incoming",
    outgoing: "Outgoing",
    missedCall: "Missed",
    others: "Others on this server",
    searching: "Looking on the server…",
    searchFailed: "The server could not search. Dial an id instead.",
    nobodyFound: "Nobody else on this server by that name.",
    addContact: (name) => `Add ${name} to your people`,
    removeContact: (name) => `Remove ${name} from your people`,
    presence: { ready: "Ready", in_call: "In a call", offline: "Away", unknown: "Not known yet" },
    me: (name, id) => (name === id ? `You · id ${id}` : `${name} · id ${id}`),
    call: (name) => `Call ${name}`,
    videoCall: (name) => `Video call ${name}`,
    callId: (id) => `Call id ${id}`,
    callRoom: (room) => `Call the room ${room}`,
    callBack: (name) => `Call ${name} back`,
    missedCount: (count) => `${count} missed`,
  },
  ring: {
    reached: "Reached",
    ringing: "Ringing",
    connecting: "Connecting",
    calling: "Calling",
    onlyYou: "Only you see this",
    cancel: "Cancel",
    silence: "Silence",
    silenced: "Silenced",
    videoCall: "Video call",
    audioCall: "Audio call",
    hidden: "Nothing is sent, and your address stays hidden, until you accept.",
    acceptVideo: "Accept with video",
    accept: "Accept",
    audioOnly: "Audio only",
    decline: "Decline",
    steps: "How far the call is",
    to: (name) => `Calling ${name}`,
    id: (id) => `id ${id}`,
  },
  call: {
    controls: "Call controls",
    mute: "Mute",
    unmute: "Unmute",
    muted: "Muted",
    camera: "Camera",
    stopCamera: "Stop camera",
    startCamera: "Start camera",
    devices: "Devices",
    keypad: "Keypad",
    noKeypad: "The other side takes no keys of a telephone.",
    keysPressed: "Keys pressed",
    hangUp: "Hang up",
    endCall: "End call",
    audioCall: "Audio call",
    time: "Time in call",
    you: "You",
    direct: "direct",
    relay: "through a relay",
    directLong: "Direct, encrypted",
    relayLong: "Through a relay, encrypted",
    pathUnknown: "Encrypted",
    checkCode: "Check code",
    checkCodeHint: "Read it aloud. The same digits on both sides: nobody listens in.",
    checkCodeDiffers: "If they differ, hang up and tell whoever runs your server.",
    hears: "Hears you",
    notHeard: "Not heard",
    sees: "Sees you",
    notSeen: "Not seen",
    notKnown: "Not known yet",
    youMuted: "You are muted",
    cameraOff: "Camera off",
    yourCameraOff: "Your camera is off",
    testPicture: "Test picture",
    yourPicture: "Your picture and how it arrives. Drag or use Alt+arrows to move",
    speaking: "Speaking",
    echoTest: "Hear yourself as they hear you",
    echoHow: "After the two notes, speak for up to ten seconds. Then listen: this is what arrives.",
    echoLoss: "Simulated packet loss",
    reconnecting: "Reconnecting…",
    reconnectingHint: "The connection dropped. The call waits for it.",
    connecting: "Connecting…",
    audioOnly: "Audio only",
    waitingPicture: "The picture has not arrived yet",
    picturePlace: "Your picture, mirrored",
    videoWith: (name) => `Video call with ${name}`,
    audioWith: (name) => `Audio call with ${name}`,
    quality: (words) => `Call quality: ${words}`,
    hearsYou: (name) => `${name} hears you`,
    hearsYouNot: (name) => `${name} does not hear you`,
    hearsYouUnknown: (name) => `Not known yet whether ${name} hears you`,
    theyMuted: (name) => `${name} is muted`,
    theirCameraOff: (name) => `${name} shows no picture`,
    pictureOf: (name) => `Picture of ${name}`,
    key: (digit) => ({ "*": "Star", "#": "Hash" })[digit] ?? `Key ${digit}`,
    seconds: (count) => `${count}${THIN}s`,
  },
  telltale: {
    you: { ok: "you: fine", weak: "you: weak", bad: "you: broken", unknown: "you: not known" },
    line: { ok: "line: fine", weak: "line: weak", bad: "line: cut", unknown: "line: not known" },
    them: { ok: "other side: fine", weak: "other side: weak", bad: "other side: broken", unknown: "other side: not known" },
  },
  verdict: {
    fine: () => "Clear both ways",
    measuring: () => "Not clear yet, measuring",
    wifi_loss: (_, loss) => (loss === null ? "Your Wi-Fi loses packets" : `Your Wi-Fi loses ${loss}`),
    link_loss: (_, loss) => (loss === null ? "Your connection loses packets" : `Your connection loses ${loss}`),
    narrow_uplink: () => "Your upload is too small for video",
    queue: () => "Something else fills your connection",
    cpu: () => "Your computer is too busy",
    microphone_silent: () => "Your microphone is silent",
    microphone_missing: () => "You have no microphone",
    their_link: (name) => `${name}'s connection is weak`,
    their_cpu: (name) => `${name}'s computer is busy`,
    their_microphone_silent: (name) => `${name}'s microphone is silent`,
    line_loss: (_, loss) => (loss === null ? "The line between you loses packets" : `The line between you loses ${loss}`),
    slow_line: () => "The line between you is slow",
    unsteady_line: () => "The line between you is unsteady",
    their_media_stopped: (name) => `Nothing arrives from ${name}`,
    slow_relay: () => "The relay is far away",
    no_route: () => "Your connection dropped. Reconnecting",
    narrow: () => "Narrow link: voice first",
  },
  end: {
    hung_up_by_us: () => ({ title: "You hung up", body: "" }),
    hung_up_by_them: (name) => ({ title: `${name} hung up`, body: "" }),
    cancelled: () => ({ title: "You cancelled", body: "" }),
    declined: (name) => ({ title: `${name} declined`, body: "" }),
    declined_by_us: () => ({ title: "You declined", body: "" }),
    busy: (name) => ({ title: `${name} is in another call`, body: "Try again in a little while." }),
    no_answer: () => ({ title: "No answer", body: `It rang for 45${THIN}s.` }),
    missed: () => ({ title: "Missed call", body: "" }),
    answered_elsewhere: () => ({ title: "Answered on another device", body: "" }),
    not_reachable: (name) => ({ title: `${name} is not signed in`, body: "Nothing rang there. Call again later." }),
    not_permitted: (name) => ({
      title: `The server does not let you call ${name}`,
      body: "Who may call whom is decided by the server's owner.",
    }),
    rate_limited: () => ({
      title: "Too many calls in a short time",
      body: "The server takes no further call for a while. Wait, then call again.",
    }),
    calls_unsupported: () => ({
      title: "This server cannot carry calls",
      body: "It sends back what it should deliver. Sign in to another server.",
    }),
    connection_lost: () => ({
      title: "The connection was lost",
      body: `It did not come back within 30${THIN}s. Check your network, then call again.`,
    }),
    server_problem: () => ({ title: "The server ended the call", body: "What it said stands below. Call again." }),
    media_failed: () => ({
      title: "Sound and picture could not start",
      body: "The network between you lets no call through. Try another network.",
    }),
    too_old: (name) => ({
      title: `${name}'s app is too old for this call`,
      body: "There is no format that both sides know. Ask for an update on the other side.",
    }),
    stream_not_found: (name) => ({ title: `${name} has no such stream`, body: "Check the name of the stream." }),
    stream_taken: () => ({ title: "Somebody else sends this stream", body: "Choose another name, or wait until it ends." }),
    not_placed: () => ({ title: "The call could not be placed", body: "Nothing was sent. Try again." }),
    ended: () => ({ title: "The call has ended", body: "" }),
  },
  recentEnd: {
    hung_up_by_us: () => "You hung up",
    hung_up_by_them: (name) => `${name} hung up`,
    cancelled: () => "You cancelled",
    declined: () => "Declined",
    declined_by_us: () => "You declined",
    busy: () => "Was in another call",
    no_answer: () => `No answer after 45${THIN}s`,
    missed: (_, video) => (video ? "Missed video call" : "Missed call"),
    answered_elsewhere: () => "Answered on another device",
    not_reachable: () => "Was not signed in",
    not_permitted: () => "Not allowed by the server",
    rate_limited: () => "Too many calls in a short time",
    calls_unsupported: () => "The server cannot carry calls",
    connection_lost: () => "Connection lost",
    server_problem: () => "Ended by the server",
    media_failed: () => "No sound or picture",
    too_old: () => "The other app is too old",
    stream_not_found: () => "No such stream",
    stream_taken: () => "Somebody else sent this stream",
    not_placed: () => "Not placed",
    ended: () => "Ended",
  },
  ended: {
    again: "Call again",
    close: "Close",
    video: "video",
    audio: "audio",
    // The wait is told in the words of `span`.
    allowedIn: (span) => `Possible again in ${span}.`,
  },
  problem: {
    server_silent: (host) => ({
      title: "The server does not answer",
      body: `${host} did not reply. You cannot be called until it does.`,
    }),
    server_restarting: (host) => ({
      title: "The server is restarting",
      body: `${host} comes back in a moment. You cannot be called until it does.`,
    }),
    server_fault: (host) => ({
      title: "The server has a fault",
      body: `${host} broke off. If it stays so, tell the server's owner.`,
    }),
    not_understood: () => ({
      title: "Ahoy and the server do not understand each other",
      body: "One of the two is too old. Update Ahoy, or tell the server's owner.",
    }),
    rate_limited: (host) => ({
      title: "Too many requests in a short time",
      body: `${host} takes no more for half a minute. Close other windows of this account.`,
    }),
    token_wrong: () => ({
      title: "This token is not for this server",
      body: "Ask for a new one where you got it.",
    }),
    token_expired: () => ({ title: "This token has ended", body: "Ask for a new one where you got it." }),
    credentials_wrong: () => ({ title: "Name and password do not match", body: "Check both and try again." }),
    second_factor: () => ({
      title: "This account needs a second code",
      body: "Ahoy cannot ask for it yet. Sign in with a token instead.",
    }),
    banned: (host) => ({ title: "This account is blocked", body: `${host} lets it in no more. Ask the server's owner.` }),
    port_taken: () => ({
      title: "Another program uses the built-in server's port",
      body: "Close the other program or window, then try again.",
    }),
    certificate: (host) => ({
      title: "This server cannot prove who it is",
      body: `Somebody may stand between you and ${host}. Ahoy does not connect.`,
    }),
    insecure_server: () => ({
      title: "This address is not encrypted",
      body: "Use an address that begins with wss://, so that nobody can read your token on the way.",
    }),
    room_taken: () => ({ title: "Somebody else has this room", body: "Choose another name for yours." }),
    room_secret_wrong: (host) => ({
      title: "The secret of this server is missing or wrong",
      body: `Ask the owner of ${host} for it.`,
    }),
    room_refused: (host) => ({ title: `${host} does not give this room`, body: "Choose another name for yours." }),
    replaced: () => ({
      title: "You signed in somewhere else",
      body: "This account is open in another window or on another computer.",
    }),
    not_a_server: (host) => ({
      title: "There is no IM-Suite server at this address",
      body: `Something answers at ${host}, but not as a server for calls. Check the address.`,
    }),
    internal: () => ({ title: "Something went wrong in Ahoy", body: "Try again. What happened stands below." }),
  },
  trouble: {
    tryNow: "Try now",
    useHere: "Use it here",
    useBuiltIn: "Use the built-in server",
    otherServer: "Other server",
    changeAddress: "Change the address",
    retryIn: (seconds) => (seconds > 0 ? `Trying again in ${seconds}${THIN}s` : "Trying again…"),
  },
  notice: {
    talking_muted: { title: "You are talking, but muted", body: "Nobody hears you." },
    microphone_silent: {
      title: "Your microphone is silent",
      body: "It gives no sound at all. Its own mute button may be on.",
    },
    no_microphone: { title: "No microphone found", body: "You can listen. Connect one to be heard." },
    no_camera: { title: "No camera found", body: "A test picture is sent in its place." },
    no_speaker: { title: "No speaker found", body: "Connect headphones or a speaker to hear the other side." },
    device_moved: { title: "A device went away", body: "The call goes on with the one your system uses." },
    device_lost: { title: "A device was unplugged", body: "Plug it in again, or connect another one." },
    microphone_busy: { title: "Another program holds your microphone", body: "Close it to be heard." },
    camera_busy: { title: "Another program holds your camera", body: "Close it, then start the camera again." },
    speaker_busy: { title: "Another program holds your speaker", body: "Close it to hear the other side." },
    microphone_denied: { title: "Ahoy may not use the microphone", body: "Allow it in the system's privacy settings." },
    camera_denied: { title: "Ahoy may not use the camera", body: "Allow it in the system's privacy settings." },
    speaker_denied: { title: "Ahoy may not use the speaker", body: "Allow it in the system's privacy settings." },
    microphone_unusable: { title: "Your microphone does not work", body: "You can listen. Connect another one to be heard." },
    camera_unusable: { title: "Your camera does not work", body: "Start the camera again, or connect another one." },
    speaker_unusable: { title: "Your speaker does not work", body: "Connect another one to hear the other side." },
    media_failed: { title: "A device stopped working", body: "Hang up and call again." },
    signaling_lost: {
      title: "The server is away, the call goes on",
      body: "Keep talking. Other calls reach you once the server is back.",
    },
    call_unknown_to_server: {
      title: "The server has forgotten this call",
      body: "It goes on for as long as the line holds. If it drops, call again.",
    },
    basic_mode: {
      title: "This server can do the least",
      body: "Calls work, but a lost connection to the server may end them. Its owner can update it.",
    },
    stream_silent: {
      title: "The stream has stopped",
      body: "Nothing has arrived for some seconds. It may have ended.",
    },
    stream_without_sound: {
      title: "This stream has no sound here",
      body: "It has none, or in a form that calls do not carry, such as AAC.",
    },
    push_pending: {
      title: "You are not being sent yet",
      body: "The media server has not taken your stream. The other side's is here.",
    },
    play_pending: {
      title: "The other side is not here yet",
      body: "You are being sent. Their stream may not have begun.",
    },
    push_ended: { title: "You are no longer being sent", body: "To be seen and heard, end the call and call again." },
    play_ended: {
      title: "Nothing comes from the other side",
      body: "You are still being sent. To receive them, end the call and call again.",
    },
    contact_failed: { title: "Your people could not be changed", body: "The server did not take it. Try again." },
  },
  refusal: {
    already_in_call: "You are in a call already.",
    no_call: "That call has ended.",
    digits_not_taken: "The other side takes no keys of a telephone.",
    too_many_digits: "Too many keys at once. Wait until they are sent.",
    wrong_state: "That is not possible right now.",
    self_call: "That is your own id.",
    not_signed_in: "You are not signed in. Wait for the server.",
    stopped: "Ahoy is closing.",
    user_not_found: "There is nobody with this id.",
    invitation_unreadable: "This is no invitation. One begins with ahoy:room?",
    invitation_incomplete: "This invitation does not say one server and one room.",
    invitation_server: "This invitation leads to no server of rooms.",
    invitation_room: "The room of this invitation has a name that no room can have.",
    stream_incomplete: "A name of the stream is missing.",
    stream_unusable: "A stream cannot have such a name.",
    stream_own: "That is your own stream. Name the one of the other side.",
    invitation_gone: "There is no invitation any more.",
    device_unknown: "There is no such device.",
    address_wrong: "This is no server address. It begins with ws:// or wss://.",
  },
  span: (hours, minutes, seconds) => {
    if (hours > 0) return `${hours} h ${minutes} min`;
    return minutes > 0 ? `${minutes} min ${seconds} s` : `${seconds} s`;
  },
};
