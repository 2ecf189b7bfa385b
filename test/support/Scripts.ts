/** Texts in all scripts, and in the ways in which one can be written. */
import { Arbitrary } from "effect"
import { element, integer, oneOf } from "./Generators.ts"

/** Characters of scripts that put no spaces between words. */
export const unspaced = [..."项目会议记录系统性能あいがカナー゙々〇한국어문서ㄱㅏไทยที่นี่ລາວភាសာမြန်၁", "ｶ", "ﾞ", "\u3099"]

const others = [
  ..."abcEFGzZ019 .,;:-_+/'\"()*^ßẞéÉñøæıİſﬁΟΔΟΣςσϋЙйЁёשלוםالعربيةهिन्दीதமிழ्ა🫖🎉👍🇩🇪©™№㍿①½⁵",
  "e\u0301",
  "\u05b8",
  "\u064e",
  "\u0640",
  "👨‍👩‍👧",
  "👍🏽",
  "1️⃣",
  "\u00ad",
  "\u200b",
  "\u200d",
  "\ufeff",
  "、",
  "。",
  "\n",
  "\0",
  "\ud800",
  "\udc00"
]

const textOf = (characters: ReadonlyArray<string>, maxLength: number): Arbitrary.Arbitrary<string> =>
  Arbitrary.map(Arbitrary.array(integer(0, characters.length - 1), { minLength: 0, maxLength }), (parts) =>
    parts.map((part) => characters[part] ?? "").join("")
  )

/** A run without spaces. */
export const run = textOf(unspaced, 12)

/** Words of all scripts, with what separates them. */
export const words: Arbitrary.Arbitrary<string> = Arbitrary.map(
  Arbitrary.array(oneOf(run, textOf(others, 6), element(" ", "AND", "NEAR(", "C++", "GB/s", "POL-358", '"tea"')), {
    minLength: 0,
    maxLength: 8
  }),
  (parts) => parts.join("")
)
