// Every code that the shell can send and the page has words for. An unknown code is shown by its general sentence.

export const END_CAUSES = [
  "hung_up_by_us",
  "hung_up_by_them",
  "cancelled",
  "declined",
  "declined_by_us",
  "busy",
  "no_answer",
  "missed",
  "answered_elsewhere",
  "not_reachable",
  "not_permitted",
  "rate_limited",
  "calls_unsupported",
  "connection_lost",
  "server_problem",
  "media_failed",
  "too_old",
  "stream_not_found",
  "stream_taken",
  "not_placed",
  "ended",
] as const;
export type EndCause = (typeof END_CAUSES)[number];

export const PROBLEM_CODES = [
  "server_silent",
  "server_restarting",
  "server_fault",
  "not_understood",
  "rate_limited",
  "token_wrong",
  "token_expired",
  "credentials_wrong",
  "second_factor",
  "banned",
  "port_taken",
  "certificate",
  "insecure_server",
  "replaced",
  "not_a_server",
  "room_taken",
  "room_secret_wrong",
  "room_refused",
  "internal",
] as const;
export type ProblemCode = (typeof PROBLEM_CODES)[number];

export const NOTICE_CODES = [
  "talking_muted",
  "microphone_silent",
  "no_microphone",
  "no_camera",
  "no_speaker",
  "device_lost",
  "device_moved",
  "microphone_busy",
  "camera_busy",
  "speaker_busy",
  "microphone_denied",
  "camera_denied",
  "speaker_denied",
  "microphone_unusable",
  "camera_unusable",
  "speaker_unusable",
  "media_failed",
  "signaling_lost",
  "stream_silent",
  "stream_without_sound",
  "push_pending",
  "play_pending",
  "push_ended",
  "play_ended",
  "call_unknown_to_server",
  "basic_mode",
  "contact_failed",
] as const;
export type NoticeCode = (typeof NOTICE_CODES)[number];

export const VERDICT_CAUSES = [
  "fine",
  "measuring",
  "wifi_loss",
  "link_loss",
  "narrow_uplink",
  "queue",
  "cpu",
  "microphone_silent",
  "microphone_missing",
  "their_link",
  "their_cpu",
  "their_microphone_silent",
  "their_media_stopped",
  "line_loss",
  "slow_line",
  "unsteady_line",
  "slow_relay",
  "no_route",
  "narrow",
] as const;
export type VerdictCause = (typeof VERDICT_CAUSES)[number];

export const REFUSAL_CODES = [
  "already_in_call",
  "no_call",
  "digits_not_taken",
  "too_many_digits",
  "wrong_state",
  "self_call",
  "not_signed_in",
  "stopped",
  "user_not_found",
  "invitation_unreadable",
  "invitation_incomplete",
  "invitation_server",
  "invitation_room",
  "invitation_gone",
  "stream_incomplete",
  "stream_unusable",
  "stream_own",
  "device_unknown",
  "address_wrong",
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** `code` when it is one of `known`, else `fallback`. */
export function known<Code extends string>(codes: readonly Code[], code: string, fallback: Code): Code {
  return codes.find((candidate) => candidate === code) ?? fallback;
}
