"""Two hundred ways in which eight scripts say who somebody is, and words that say nothing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """One patient.

    charset: Specific Character Set
    told: texts each of which identifies
    ordinary: texts that do not, and should stay
    """

    script: str
    charset: str | list[str]
    name: str
    told: tuple[str, ...]
    ordinary: tuple[str, ...] = ()
    patient_id: str = "Q-5590417"
    birth: str = "19470313"


LATIN = (
    Person(
        "Latin", "ISO_IR 192", "Smithers^Waylon",
        ("SMITHERS_WAYLON_HIP", "SMITHERSWAYLON", "waylonsmithers", "hip of Smithers", "WSmithers",
         "Waylon's hip", "MRN12345678", "0012345678", "no. 12-345-678", "13.03.1947",
         "b. 13 March 1947", "DOB470313"),
        ("Waylay the smith", "Grid 1234567", "v 13.03.1948"),
        "12345678",
    ),
    Person(
        "Latin", "ISO_IR 100", "Müller^Jörg^^Dr.",
        ("MUELLER", "Muller, J.", "Jörg 2020", "JOERG_L", "Müllers Hüfte", "PAT-00471a",
         "jmueller"),
        ("Mühle", "Dr. 7", "Jo 471"), "PAT-00471A",
    ),
    Person(
        "Latin", "ISO_IR 192", "Li^An",
        ("LI", "an_2", "Li, An", "LiAn", "film of LI.", "AN: left", "id 17"),
        ("Lithium anode", "limited analysis", "ELISA can", "17 inch"), "17",
    ),
    Person(
        "Latin", "ISO_IR 192", "O'Brien^Seán", ("OBRIEN", "O Brien", "Sean", "BRIEN-S"), ("O 2",)
    ),
    Person(
        "Latin", "ISO_IR 192", "Nguyễn^Thị Ánh", ("Nguyen", "THI ANH", "nguyễn_hip"), ("Angle",)
    ),
)  # fmt: skip
CYRILLIC = (
    Person(
        "Cyrillic", "ISO_IR 144", "Иванов^Пётр^Ильич",
        ("ИВАНОВ", "Снимок Иванова", "Ивановым", "Петр", "ИвановПётр", "Иванов_Пётр_2020",
         "пётр иванов", "13 марта 1947", "13.3.47", "5590417", "Ильич"),
        ("Ива у ванны", "таз прямая", "марта 1947"),
    ),
    Person(
        "Cyrillic", "ISO_IR 192", "Ли^Юй",
        ("ЛИ", "Ли_таз", "Юй", "снимок Юй.", "лиюй", "ЮЙ2"), ("лист", "или", "юйный"),
    ),
    Person(
        "Cyrillic", "ISO_IR 192", "Шевченко^Оксана",
        ("Шевченко", "ОКСАНА", "Оксани", "ОксанаШевченко", "о. шевченко", "Шевченком"),
        ("Шов", "оксид"),
    ),
    Person("Cyrillic", "ISO_IR 192", "Гуро^Ян", ("ГУРО", "ян"), ("январь 2", "пояснение")),
)  # fmt: skip
GREEK = (
    Person(
        "Greek", "ISO_IR 126", "Παπαδόπουλος^Γιώργος",
        ("ΠΑΠΑΔΟΠΟΥΛΟΣ", "Παπαδοπουλου", "Γιωργος", "ΓΙΩΡΓΟΥ", "Παπαδόπουλος_ισχίο",
         "παπαδοπουλοσγιωργος", "13 Μαρτίου 1947", "13/03/47", "Q5590417"),
        ("πάπια", "ισχίο δεξιά", "γωνία"),
    ),
    Person(
        "Greek", "ISO_IR 192", "Δη^Ευ",
        ("ΔΗ", "δη_2", "Ευ", "ακτινογραφία ΔΗ", "δηευ", "ΕΥ: αριστερά"), ("Δημος", "ευρος"),
    ),
    Person(
        "Greek", "ISO_IR 192", "Ζορμπάς^Αλέξης",
        ("Ζορμπάς", "ΖΟΡΜΠΑ", "Αλεξης", "Αλέξη", "ζορμπας_αλεξης", "ΑΛΕΞΗΣ2", "Ζορμπάς Α."),
        ("ζώνη",),
    ),
    Person("Greek", "ISO_IR 192", "Φως^Ίρις", ("ΦΩΣ", "Ιρις", "ίρις-2"), ("φωσφορος",)),
)  # fmt: skip
CHINESE = (
    Person(
        "Chinese", "GB18030", "王^小东",
        ("王小东", "小东", "王先生", "患者王小东左髋", "王 小 东", "王", "小东_hip", "hip小东2",
         "1947年3月13日", "5590417号"),
        ("左髋关节正位", "小儿", "东"),
    ),
    Person(
        "Chinese", "ISO_IR 192", "Wang^XiaoDong=王^小東",
        ("王小東", "小東", "wangxiaodong", "Xiao Dong", "WANG", "民國36年3月13日"), ("左側",),
    ),
    Person(
        "Chinese", "ISO_IR 192", "欧阳修文", ("欧阳修文", "修文", "欧阳", "欧女士"), ("欧洲标准",)
    ),
    Person(
        "Chinese", ["", "ISO 2022 IR 58"], "Zhang^XiaoDong=张^小东",
        ("张小东", "患者张", "小东", "ZhangXD", "ZHANG_Hip"), ("髋关节",),
    ),
    Person("Chinese", "GB18030", "李^明", ("李明", "明", "明先生"), ("说明书",)),
)  # fmt: skip
JAPANESE = (
    Person(
        "Japanese", ["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ("山田太郎", "山田", "太郎さん", "山田様の股関節", "やまだ", "ヤマダ", "タロウ", "YAMADA_T",
         "tarouyamada", "昭和22年3月13日", "S22.3.13"),
        ("股関節正面", "山の手", "太い"),
    ),
    Person(
        "Japanese", ["ISO_IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾊﾅｺ=山田^花子=やまだ^はなこ",
        ("ﾔﾏﾀﾞ ﾊﾅｺ", "花子", "ハナコ", "はなこ", "山田 花子", "ﾊﾅｺ"), ("右",),
    ),
    Person(
        "Japanese", "ISO_IR 192", "佐藤^美咲", ("佐藤美咲", "美咲", "佐藤_2", "佐 藤"), ("佐賀",)
    ),
    Person("Japanese", "ISO_IR 192", "鈴木一郎", ("鈴木一郎", "鈴木", "一郎氏", "一郎"), ("一方",)),
)  # fmt: skip
KOREAN = (
    Person(
        "Korean", ["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동",
        ("홍길동", "길동", "길동의 고관절", "洪吉洞", "吉洞", "HONG", "gildong_2",
         "1947년 3월 13일", "홍 씨", "홍씨"),
        ("고관절 정면", "길이", "동쪽"),
    ),
    Person(
        "Korean", "ISO_IR 192", "김^철수",
        ("김철수", "철수", "김 철수 님", "환자 김", "철수_hip", "김", "철수가"), ("정면", "철"),
    ),
    Person("Korean", "ISO_IR 192", "박영희", ("박영희", "영희", "박 님", "영희의"), ("박자",)),
    Person(
        "Korean", "ISO_IR 192", "이^준", ("이준", "준", "이준님", "준이", "5590417"),
        ("이동식", "준비"),
    ),
)  # fmt: skip
ARABIC = (
    Person(
        "Arabic", "ISO_IR 127", "الأحمد^محمّد",
        ("الاحمد", "محمد", "محمد_2", "احمد", "محمدالاحمد", "مُحَمَّد", "لمحمد", "١٣/٠٣/١٩٤٧",
         "13 مارس 1947", "٥٥٩٠٤١٧"),
        ("ورك ايسر", "حمد"),
    ),
    Person(
        "Arabic", "ISO_IR 192", "حسن^علي",
        ("حسن", "علي", "وعلي", "حسن_علي", "عليحسن", "الحسن", "صورة علي"), ("عليها", "يسار"),
    ),
    Person(
        "Arabic", "ISO_IR 192", "عبد الله^فاطمة",
        ("عبدالله", "فاطمه", "عبد الله", "فاطمة2", "لفاطمة"), ("معبد", "ورك"),
    ),
    Person("Arabic", "ISO_IR 192", "نور^مي", ("نور", "مي", "مي_ورك"), ("منورة", "يمين")),
)  # fmt: skip
HEBREW = (
    Person(
        "Hebrew", "ISO_IR 138", "כהן^משה",
        ("כהן", "משה", "כהן_משה", "משהכהן", "לכהן", "צילום של משה", "מֹשֶׁה", "13 במרץ 1947",
         "13.3.1947", "ID5590417"),
        ("ירך שמאל", "כהה"),
    ),
    Person(
        "Hebrew", "ISO_IR 192", "לוי^רות", ("לוי", "רות", "לרות", "רות_2", "לוירות", "ולוי"),
        ("ליווי", "דרות"),
    ),
    Person(
        "Hebrew", "ISO_IR 192", "בן דוד^נועם", ("דוד", "בןדוד", "נועם", "נועם-ירך", "לנועם"),
        ("גדוד", "ימין"),
    ),
    Person("Hebrew", "ISO_IR 192", "גל^אור", ("גל", "אור", "גל2", "אור: ירך"), ("גלגל", "מאורע")),
)  # fmt: skip
PEOPLE = (*LATIN, *CYRILLIC, *GREEK, *CHINESE, *JAPANESE, *KOREAN, *ARABIC, *HEBREW)
